#include "tensor/kernels/matvec.h"
#include "tensor/kernels/pool.h"

#include "tensor/kernels/kernel_test.h"
#include "tensor/tensor.h"

namespace expunge::tensor::kernels {
namespace {

// y = W x over dequantised weights.
template <class T>
std::vector<T> plain(const std::vector<float>& w, const std::vector<float>& x, int64_t rows,
                     int64_t in, int64_t out) {
  std::vector<T> y;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = 0; o < out; ++o) {
      T sum = 0;
      for (int64_t i = 0; i < in; ++i)
        sum += static_cast<T>(w[static_cast<size_t>(o * in + i)]) *
               static_cast<T>(x[static_cast<size_t>(r * in + i)]);
      y.push_back(sum);
    }
  return y;
}

double norm(const std::vector<double>& v) {
  double sum = 0;
  for (const double x : v) sum += x * x;
  return std::sqrt(sum);
}

// |Σ |w x|| / |Σ w x|
double condition(std::vector<float> w, std::vector<float> x, int64_t rows, int64_t in,
                 int64_t out) {
  const double size = norm(plain<double>(w, x, rows, in, out));
  for (auto* values : {&w, &x})
    for (float& v : *values) v = std::abs(v);
  return norm(plain<double>(w, x, rows, in, out)) / size;
}

void check(DType dtype, int64_t rows, int64_t in, int64_t out, double magnitude) {
  std::mt19937_64 rng(static_cast<uint64_t>(rows * 1000003 + in * 1009 + out));
  const DTypeInfo& type = info(dtype);
  auto w = random_floats(rng, static_cast<size_t>(in * out), 0.3);
  const auto x = random_floats(rng, static_cast<size_t>(in * rows), magnitude);
  std::vector<std::byte> blocks(w.size() / type.block * type.bytes);
  ASSERT_TRUE(quantise(dtype, w, blocks));
  dequantise(dtype, blocks, w);
  std::vector<float> y(static_cast<size_t>(rows * out), -1);
  matvec(dtype, blocks.data(), x.data(), rows, in, out, y.data());
  expect_at_floor(
      y, plain<float>(w, x, rows, in, out), plain<double>(w, x, rows, in, out),
      fmt::format("{} [{},{}] rows {} magnitude {}", type.name, out, in, rows, magnitude),
      condition(w, x, rows, in, out));
}

TEST(Matvec, EqualsPlainProductsOverOddShapes) {
  for (const int64_t rows : {1, 2, 3, 4})
    for (const int64_t in : {1, 31, 32, 33, 200})
      for (const int64_t out : {1, 31, 32, 33}) check(DType::kF32, rows, in, out, 1);
}

TEST(Matvec, EqualsPlainProductsStraightFromBlocks) {
  for (const DType dtype : {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0})
    for (const int64_t rows : {1, 2, 3, 4})
      for (const int64_t in : {32, 64, 96, 288})
        for (const int64_t out : {1, 31, 32, 33}) check(dtype, rows, in, out, 1);
}

TEST(Matvec, EqualsPlainProductsOfHalves) {
  for (const DType dtype : {DType::kF16, DType::kBF16})
    for (const int64_t rows : {1, 3})
      for (const int64_t in : {1, 31, 33, 200})
        for (const int64_t out : {1, 7, 33}) check(dtype, rows, in, out, 1);
}

// Random bytes with finite scales: every type that can only be read.
TEST(Matvec, ReadsEveryTypeOfBlocks) {
  constexpr int64_t kIn = 512, kOut = 5;
  for (const DType dtype :
       {DType::kQ2_K, DType::kQ3_K, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K, DType::kIQ1_S,
        DType::kIQ1_M, DType::kIQ2_XXS, DType::kIQ2_XS, DType::kIQ2_S, DType::kIQ3_XXS,
        DType::kIQ3_S, DType::kIQ4_NL, DType::kIQ4_XS, DType::kTQ1_0, DType::kTQ2_0}) {
    const DTypeInfo& type = info(dtype);
    std::mt19937_64 rng(7);
    std::vector<std::byte> blocks(kIn * kOut / type.block * type.bytes);
    std::vector<float> w(kIn * kOut);
    do {
      for (std::byte& b : blocks) b = std::byte(rng());
      dequantise(dtype, blocks, w);
    } while (!std::ranges::all_of(w, [](float v) { return std::abs(v) < 1e6F; }));
    for (const int64_t rows : {1, 4}) {
      const auto x = random_floats(rng, static_cast<size_t>(kIn * rows), 1);
      std::vector<float> y(static_cast<size_t>(rows * kOut));
      matvec(dtype, blocks.data(), x.data(), rows, kIn, kOut, y.data());
      expect_at_floor(y, plain<float>(w, x, rows, kIn, kOut), plain<double>(w, x, rows, kIn, kOut),
                      std::string(type.name), condition(w, x, rows, kIn, kOut));
    }
  }
}

TEST(Matvec, HoldsOverMagnitudes) {
  for (const DType dtype : {DType::kF32, DType::kQ4_0, DType::kQ4_1, DType::kQ8_0})
    for (const double magnitude : {1e-6, 1e-3, 1e3, 1e6}) check(dtype, 2, 96, 33, magnitude);
}

TEST(Matvec, LargeProductsAreCutIntoTasks) {
  const CallerThreads two(2);
  for (const DType dtype : {DType::kF32, DType::kQ4_1}) check(dtype, 1, 576, 1537, 1);
}

// Activations with a common offset make the minimum's share of Q4_1 large.
TEST(Matvec, HoldsForActivationsWithAnOffset) {
  for (const DType dtype : {DType::kQ4_0, DType::kQ4_1, DType::kQ8_0}) {
    std::mt19937_64 rng(5);
    std::vector<float> w = random_floats(rng, 64 * 7, 0.3), x = random_floats(rng, 64, 1);
    for (float& v : x) v += 50;
    std::vector<std::byte> blocks(w.size() / 32 * info(dtype).bytes);
    ASSERT_TRUE(quantise(dtype, w, blocks));
    dequantise(dtype, blocks, w);
    std::vector<float> y(7);
    matvec(dtype, blocks.data(), x.data(), 1, 64, 7, y.data());
    expect_at_floor(y, plain<float>(w, x, 1, 64, 7), plain<double>(w, x, 1, 64, 7),
                    std::string(info(dtype).name), condition(w, x, 1, 64, 7));
  }
}

TEST(Matvec, RefusesWhatItCannotDo) {
  float x = 0, y = 0;
  EXPECT_THROW(matvec(DType::kF32, nullptr, &x, kMatvecMaxRows + 1, 1, 1, &y), base::Bug);
}

}  // namespace
}  // namespace expunge::tensor::kernels
