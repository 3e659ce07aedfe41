// Block formats, bit for bit against the `gguf` package (tests/golden/quant.py).
#include "tensor/quant.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#ifdef __x86_64__
#include <xmmintrin.h>
#endif

#include "base/hash.h"
#include "golden.h"

namespace expunge::tensor {
namespace {

using base::Code;
using tests::Golden;

const Golden& golden() {
  static const Golden g("quant");
  return g;
}

std::vector<uint32_t> bits(const std::vector<float>& values) {
  std::vector<uint32_t> result;
  for (const float v : values) result.push_back(std::bit_cast<uint32_t>(v));
  return result;
}

// The package computes with subnormal numbers; LibTorch, once started, flushes them (of these
// formats MXFP4 alone has such values, below 2^-126).
class WithSubnormals : public testing::TestWithParam<DType> {
#ifdef __x86_64__
 protected:
  WithSubnormals() { _mm_setcsr(before_ & ~0x8040U); }  // flush to zero, subnormals are zero
  ~WithSubnormals() override { _mm_setcsr(before_); }

 private:
  const unsigned before_ = _mm_getcsr();
#endif
};

class Format : public WithSubnormals {};

TEST_P(Format, DequantisesBitForBit) {
  const std::string name(info(GetParam()).name);
  const std::vector<float> want = golden().floats(name + ".values");
  std::vector<float> got(want.size());
  dequantise(GetParam(), golden().bytes(name + ".blocks"), got);
  EXPECT_EQ(bits(got), bits(want));
}

std::string dtype_name(const testing::TestParamInfo<DType>& i) {
  return std::string(info(i.param).name);
}
INSTANTIATE_TEST_SUITE_P(All, Format,
                         testing::Values(DType::kF16, DType::kBF16, DType::kQ4_0, DType::kQ4_1,
                                         DType::kQ5_0, DType::kQ5_1, DType::kQ8_0, DType::kQ2_K,
                                         DType::kQ3_K, DType::kQ4_K, DType::kQ5_K, DType::kQ6_K),
                         dtype_name);

constexpr DType kUneven[] = {DType::kIQ1_S,  DType::kIQ1_M,   DType::kIQ2_XXS, DType::kIQ2_XS,
                             DType::kIQ2_S,  DType::kIQ3_XXS, DType::kIQ3_S,   DType::kIQ4_NL,
                             DType::kIQ4_XS, DType::kMXFP4,   DType::kTQ1_0,   DType::kTQ2_0};
INSTANTIATE_TEST_SUITE_P(Uneven, Format, testing::ValuesIn(kUneven), dtype_name);

class Sweep : public WithSubnormals {};

// Output `i` of SplitMix64 (Steele et al. 2014) with seed 0.
uint64_t split_mix(uint64_t i) {
  uint64_t z = (i + 1) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// As many blocks of random bytes as reach the rows of every codebook, by a hash of their values;
// blocks with a value that is not finite are left out (quant.py, sweep()).
TEST_P(Sweep, DequantisesBitForBit) {
  const DTypeInfo& type = info(GetParam());
  constexpr size_t kBlocks = 1024;
  std::vector<std::byte> blocks(kBlocks * type.bytes);
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i] = std::byte(split_mix(i) >> 56);
  std::vector<float> values(kBlocks * type.block), finite;
  dequantise(GetParam(), blocks, values);
  for (size_t b = 0; b < kBlocks; ++b) {
    const std::span<const float> block = std::span(values).subspan(b * type.block, type.block);
    if (std::ranges::all_of(block, [](float v) { return std::isfinite(v); }))
      finite.insert(finite.end(), block.begin(), block.end());
  }
  EXPECT_GT(finite.size(), values.size() * 9 / 10);
  EXPECT_EQ(base::sha256_hex(std::as_bytes(std::span(finite))),
            golden().value(std::string(type.name) + ".sweep").get<std::string>());
}
INSTANTIATE_TEST_SUITE_P(Uneven, Sweep, testing::ValuesIn(kUneven), dtype_name);

class Writable : public testing::TestWithParam<DType> {};

TEST_P(Writable, QuantisesBitForBit) {
  const DTypeInfo& type = info(GetParam());
  const auto input = golden().floats(type.block == 1 ? "quantise.scalars" : "quantise.input");
  const auto want = golden().array<uint8_t>("quantise." + std::string(type.name));
  std::vector<uint8_t> got(want.size());
  ASSERT_TRUE(quantise(GetParam(), input, std::as_writable_bytes(std::span(got))));
  EXPECT_EQ(got, want);
}

// A block with values exactly on its format's levels is reproduced.
TEST_P(Writable, RepresentableValuesSurviveARoundTrip) {
  const DTypeInfo& type = info(GetParam());
  std::vector<float> values(type.block), back(type.block);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 16) - 8.0F;
  std::vector<std::byte> block(type.bytes);
  ASSERT_TRUE(quantise(GetParam(), values, block));
  dequantise(GetParam(), block, back);
  if (GetParam() == DType::kQ8_0 || GetParam() == DType::kQ5_0 || GetParam() == DType::kQ5_1)
    EXPECT_THAT(back, testing::Pointwise(testing::FloatNear(0.3F), values));
  else
    EXPECT_EQ(back, values);
}

INSTANTIATE_TEST_SUITE_P(All, Writable,
                         testing::Values(DType::kF16, DType::kBF16, DType::kQ4_0, DType::kQ4_1,
                                         DType::kQ5_0, DType::kQ5_1, DType::kQ8_0),
                         dtype_name);

TEST(Quant, Float32IsCopied) {
  const std::vector<float> values = golden().floats("quantise.scalars");
  std::vector<float> back(values.size());
  dequantise(DType::kF32, std::as_bytes(std::span(values)), back);
  EXPECT_EQ(bits(back), bits(values));
  std::vector<float> stored(values.size());
  ASSERT_TRUE(quantise(DType::kF32, values, std::as_writable_bytes(std::span(stored))));
  EXPECT_EQ(bits(stored), bits(values));
}

TEST(Quant, OtherFormatsAreReadOnly) {
  std::vector<DType> dtypes = {DType::kQ2_K, DType::kQ3_K, DType::kQ4_K, DType::kQ5_K,
                               DType::kQ6_K};
  dtypes.insert(dtypes.end(), std::begin(kUneven), std::end(kUneven));
  for (const DType dtype : dtypes) {
    const std::vector<float> values(256);
    std::vector<std::byte> out(info(dtype).bytes);
    const auto status = quantise(dtype, values, out);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::kUnsupported);
    EXPECT_THAT(status.error().message, testing::HasSubstr(std::string(info(dtype).name)));
  }
}

TEST(Quant, BlocksRefuseWhatIsNotFinite) {
  for (const DType dtype : {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0})
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      std::vector<float> values(64, 1.0F);
      values[40] = bad;
      std::vector<std::byte> out(2 * info(dtype).bytes);
      const auto status = quantise(dtype, values, out);
      ASSERT_FALSE(status) << info(dtype).name;
      EXPECT_EQ(status.error().code, Code::kNumeric);
    }
}

// 1 / scale overflows for such blocks; nothing may become NaN.
TEST(Quant, BlocksOfDenormalsBecomeSmall) {
  for (const DType dtype : {DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0}) {
    std::vector<float> values(32, 1e-42F), back(32);
    values[3] = -1e-41F;
    std::vector<std::byte> out(info(dtype).bytes);
    ASSERT_TRUE(quantise(dtype, values, out));
    dequantise(dtype, out, back);
    EXPECT_THAT(back, testing::Each(testing::FloatNear(0, 1e-30F))) << info(dtype).name;
  }
}

TEST(Quant, NamesAndNumbersFindTheirFormat) {
  EXPECT_EQ(dtype_from_name("q4_k"), DType::kQ4_K);
  EXPECT_EQ(dtype_from_name("BF16"), DType::kBF16);
  EXPECT_EQ(dtype_from_name("Q9_9"), std::nullopt);
  EXPECT_EQ(dtype_from_name("iq3_xxs"), DType::kIQ3_XXS);
  EXPECT_EQ(dtype_from_ggml(14), DType::kQ6_K);
  EXPECT_EQ(dtype_from_ggml(39), DType::kMXFP4);
  EXPECT_EQ(dtype_from_ggml(4), std::nullopt);  // Q4_2, withdrawn by ggml
}

TEST(Quant, WrongSizesAreBugs) {
  std::vector<float> out(32);
  const std::vector<std::byte> in(17);
  EXPECT_THROW(dequantise(DType::kQ4_0, in, out), base::Bug);
}

}  // namespace
}  // namespace expunge::tensor
