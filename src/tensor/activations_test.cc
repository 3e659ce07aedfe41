// Rounded activations, bit for bit against ggml (tests/golden/activations.py).
#include "tensor/activations.h"

#include <gtest/gtest.h>

#include "golden.h"
#include "tensor/tensor.h"

namespace expunge::tensor {
namespace {

using tests::Golden;

TEST(Activations, AreRoundedAsGgmlDoes) {
  const Golden golden("activations");
  auto x = golden.floats("x");
  const Tensor in = at::from_blob(x.data(), {4, 512}, f32());
  for (const auto& [weight, name] : {std::pair(DType::kQ8_0, "q8_0"),
                                     {DType::kQ4_0, "q8_0"},
                                     {DType::kIQ4_NL, "q8_0"},
                                     {DType::kMXFP4, "q8_0"},
                                     {DType::kQ4_1, "q8_1"},
                                     {DType::kQ4_K, "q8_K"},
                                     {DType::kIQ2_XXS, "q8_K"},
                                     {DType::kTQ2_0, "q8_K"}}) {
    const Tensor y = rounded_for(weight, in);
    const auto want = golden.floats(name);
    for (size_t i = 0; i < want.size(); ++i)
      ASSERT_EQ(y.data_ptr<float>()[i], want[i]) << info(weight).name << " " << i;
  }
}

TEST(Activations, OfHalvesAreHalves) {
  const Tensor x = at::tensor({1.0F, 1.0001F, -65519.0F, 1e-6F}).view({1, 4});
  EXPECT_TRUE(at::equal(rounded_for(DType::kF16, x), x.to(at::kHalf).to(at::kFloat)));
  EXPECT_TRUE(at::equal(rounded_for(DType::kBF16, x), x.to(at::kBFloat16).to(at::kFloat)));
  EXPECT_TRUE(rounded_for(DType::kF32, x).is_same(x));
}

TEST(Activations, HaveNames) {
  for (const Activations a : {Activations::kFloat, Activations::kQ8})
    EXPECT_EQ(activations_from_name(name(a)), a);
  EXPECT_FALSE(activations_from_name("int8"));
}

}  // namespace
}  // namespace expunge::tensor
