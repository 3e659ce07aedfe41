#include "tensor/kernels/softmax_stats.h"

#include "tensor/kernels/kernel_test.h"

namespace expunge::tensor::kernels {
namespace {

// The definition, in the precision of T.
template <class T>
std::vector<T> plain(const std::vector<float>& x) {
  T largest = x[0], total = 0, mean = 0, square = 0;
  for (const float v : x) largest = std::max(largest, static_cast<T>(v));
  for (const float v : x) total += std::exp(static_cast<T>(v) - largest);
  const T log_sum = std::log(total);
  for (const float v : x) {
    const T logp = static_cast<T>(v) - largest - log_sum, p = std::exp(logp);
    mean += p * logp, square += p * logp * logp;
  }
  return {largest + log_sum, mean, square - mean * mean};
}

TEST(SoftmaxStats, EqualsItsDefinitionOverShapesAndMagnitudes) {
  for (const size_t vocab : {1, 31, 32, 33, 4097, 49152})
    for (const double magnitude : {1e-3, 1.0, 10.0, 60.0}) {
      std::mt19937_64 rng(vocab);
      constexpr size_t kRows = 3;
      const auto x = random_floats(rng, kRows * vocab, magnitude);
      std::vector<SoftmaxStats> stats(kRows);
      softmax_stats(x.data(), kRows, static_cast<int64_t>(vocab), stats.data());
      for (size_t r = 0; r < kRows; ++r) {
        const std::vector<float> row(x.begin() + static_cast<std::ptrdiff_t>(r * vocab),
                                     x.begin() + static_cast<std::ptrdiff_t>((r + 1) * vocab));
        const auto low = plain<float>(row);
        const auto want = plain<double>(row);
        const std::string where = fmt::format("V {} magnitude {} row {}", vocab, magnitude, r);
        // The logits carry float32's error of their size into every figure.
        const double floor = std::max(tests::relative_l2(low, want), 0x1p-24 * (1 + magnitude));
        EXPECT_NEAR(stats[r].log_norm, want[0], 10 * floor * (1 + std::abs(want[0]))) << where;
        EXPECT_NEAR(stats[r].mean, want[1], 10 * floor * (1 + std::abs(want[1]))) << where;
        EXPECT_NEAR(stats[r].variance, want[2], 10 * floor * (1 + want[2])) << where;
        EXPECT_EQ(stats[r].best, std::max_element(row.begin(), row.end()) - row.begin()) << where;
      }
    }
}

TEST(SoftmaxStats, InOrderIsOneFloatAfterTheOther) {
  std::mt19937_64 rng(2);
  const auto x = random_floats(rng, 49152, 5);
  const float largest = *std::ranges::max_element(x);
  float sum = 0;
  for (const float v : x) sum += std::exp(v - largest);
  SoftmaxStats in_order{}, accurate{};
  softmax_stats(x.data(), 1, 49152, &in_order, ExpSum::kFloatInOrder);
  softmax_stats(x.data(), 1, 49152, &accurate);
  EXPECT_NEAR(in_order.log_norm, largest + std::log(sum), 2e-6);
  EXPECT_EQ(in_order.mean, accurate.mean);
}

TEST(SoftmaxStats, TheFirstOfEqualLogitsIsTheBestAndHugeOnesDoNotOverflow) {
  std::vector<float> x(70, -3e38F);
  x[5] = x[40] = 3e38F;
  SoftmaxStats stats{};
  softmax_stats(x.data(), 1, 70, &stats);
  EXPECT_EQ(stats.best, 5);
  EXPECT_NEAR(stats.mean, -std::log(2.0), 1e-9);
  EXPECT_NEAR(stats.variance, 0, 1e-9);
}

}  // namespace
}  // namespace expunge::tensor::kernels
