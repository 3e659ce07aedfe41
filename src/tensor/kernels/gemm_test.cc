#include "tensor/kernels/gemm.h"

#include "tensor/kernels/kernel_test.h"
#include "tensor/kernels/pool.h"
#include "tensor/tensor.h"

namespace expunge::tensor::kernels {
namespace {

void check(DType dtype, int64_t rows, int64_t in, int64_t out, double magnitude) {
  std::mt19937_64 rng(static_cast<uint64_t>(rows * 1000003 + in * 1009 + out));
  const DTypeInfo& type = info(dtype);
  auto w = random_floats(rng, static_cast<size_t>(in * out), 0.3);
  const auto x = random_floats(rng, static_cast<size_t>(in * rows), magnitude);
  std::vector<std::byte> blocks(w.size() / type.block * type.bytes);
  ASSERT_TRUE(quantise(dtype, w, blocks));
  dequantise(dtype, blocks, w);
  std::vector<float> y(static_cast<size_t>(rows * out), -1), plain_f32;
  std::vector<double> plain_f64;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = 0; o < out; ++o) {
      float sum = 0;
      double exact = 0;
      for (int64_t i = 0; i < in; ++i) {
        const float a = w[static_cast<size_t>(o * in + i)], b = x[static_cast<size_t>(r * in + i)];
        sum += a * b;
        exact += static_cast<double>(a) * b;
      }
      plain_f32.push_back(sum);
      plain_f64.push_back(exact);
    }
  gemm(dtype, blocks.data(), x.data(), rows, in, out, y.data());
  expect_at_floor(
      y, plain_f32, plain_f64,
      fmt::format("{} [{},{}] rows {} magnitude {}", type.name, out, in, rows, magnitude));
}

TEST(Gemm, EqualsPlainProductsOverOddShapes) {
  for (const int64_t rows : {1, 5, 8, 9, 16, 17, 31, 32, 33})
    for (const int64_t in : {1, 31, 33, 200})
      for (const int64_t out : {1, 5, 6, 7, 31, 97}) check(DType::kF32, rows, in, out, 1);
}

TEST(Gemm, EqualsPlainProductsStraightFromBlocks) {
  for (const DType dtype : {DType::kQ4_0, DType::kQ4_1, DType::kQ8_0, DType::kQ5_1, DType::kF16})
    for (const int64_t rows : {1, 8, 33})
      for (const int64_t in : {32, 96, 288})
        for (const int64_t out : {1, 31, 97}) check(dtype, rows, in, out, 1);
}

TEST(Gemm, HoldsOverMagnitudesAndTasks) {
  const CallerThreads two(2);
  for (const DType dtype : {DType::kF32, DType::kQ4_1})
    for (const double magnitude : {1e-6, 1e6}) check(dtype, 33, 576, 199, magnitude);
  check(DType::kQ8_0, 64, 1536, 301, 1);
}

// The blocks' values are bit for bit the dequantised ones, and the order of sums is the same.
TEST(Gemm, BlocksAndTheirFloatsGiveTheSameBits) {
  std::mt19937_64 rng(3);
  auto w = random_floats(rng, 64 * 70, 0.3);
  const auto x = random_floats(rng, 64 * 11, 1);
  for (const DType dtype : {DType::kQ4_0, DType::kQ4_1, DType::kQ8_0}) {
    std::vector<std::byte> blocks(w.size() / 32 * info(dtype).bytes);
    ASSERT_TRUE(quantise(dtype, w, blocks));
    std::vector<float> values(w.size()), from_blocks(11 * 70), from_floats(11 * 70);
    dequantise(dtype, blocks, values);
    gemm(dtype, blocks.data(), x.data(), 11, 64, 70, from_blocks.data());
    gemm(DType::kF32, reinterpret_cast<const std::byte*>(values.data()), x.data(), 11, 64, 70,
         from_floats.data());
    EXPECT_EQ(from_blocks, from_floats) << info(dtype).name;
  }
}

// One chain of multiply-adds an element, at any position.
TEST(Gemm, ARowIsTheSameBitsWithAnyOthersAndThreads) {
  std::mt19937_64 rng(4);
  const int64_t rows = 70, in = 200, out = 301;
  const auto w = random_floats(rng, in * out, 0.3), x = random_floats(rng, in * rows, 1);
  const auto* weight = reinterpret_cast<const std::byte*>(w.data());
  std::vector<float> all(rows * out), other(rows * out);
  const CallerThreads two(2);
  gemm(DType::kF32, weight, x.data(), rows, in, out, all.data());
  for (int64_t r = 0; r < rows; ++r)
    gemm(DType::kF32, weight, x.data() + r * in, 1, in, out, other.data() + r * out);
  EXPECT_EQ(all, other);
  const CallerThreads one(1);
  gemm(DType::kF32, weight, x.data(), rows, in, out, other.data());
  EXPECT_EQ(all, other);
}

TEST(Gemm, RefusesWhatItCannotDo) {
  float x = 0, y = 0;
  EXPECT_THROW(gemm(DType::kF32, nullptr, &x, 0, 1, 1, &y), base::Bug);
}

}  // namespace
}  // namespace expunge::tensor::kernels
