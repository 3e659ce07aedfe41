#include "tensor/kernels/squares.h"

#include <gtest/gtest.h>

#include <vector>

#include "tensor/kernels/kernel_test.h"

namespace expunge::tensor::kernels {
namespace {

TEST(SumOfSquares, IsExactToFloat64s) {
  for (const size_t n : {0, 1, 31, 32, 33, 70000, 200000}) {
    std::mt19937_64 rng(n);
    const std::vector<float> x = random_floats(rng, n, 3);
    double want = 0;
    for (const float v : x) want += static_cast<double>(v) * static_cast<double>(v);
    EXPECT_NEAR(sum_of_squares(x.data(), static_cast<int64_t>(n)), want, 1e-6 * want);
  }
}

TEST(Squares, AreAddedUpPlainAndAsRatios) {
  for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{1, 1}, {3, 31}, {200, 576}}) {
    const int64_t n = rows * columns;
    std::mt19937_64 rng(1);
    const auto g = random_floats(rng, static_cast<size_t>(n), 2);
    auto divisor = random_floats(rng, static_cast<size_t>(n), 1);
    for (float& x : divisor) x += 1.5F;
    std::vector<float> sums(g.size(), 1);
    std::vector<double> ratios(static_cast<size_t>(rows), 1), want = ratios;
    for (int again = 0; again < 2; ++again) {
      add_squares(g.data(), n, sums.data());
      add_square_ratios(g.data(), divisor.data(), rows, columns, ratios.data());
    }
    for (size_t i = 0; i < g.size(); ++i) {
      const double square = static_cast<double>(g[i]) * static_cast<double>(g[i]);
      EXPECT_NEAR(sums[i], 1 + 2 * square, 1e-6);
      want[i / static_cast<size_t>(columns)] += 2 * square / static_cast<double>(divisor[i]);
    }
    for (size_t r = 0; r < want.size(); ++r) EXPECT_NEAR(ratios[r], want[r], 1e-5 * want[r]);
  }
}

}  // namespace
}  // namespace expunge::tensor::kernels
