#include "tensor/tensor_map.h"

#include <gtest/gtest.h>

namespace expunge::tensor {
namespace {

TEST(TensorMap, SurvivesTheImage) {
  const Tensor matrix = at::arange(6, f32()).view({2, 3}).t();  // not contiguous
  const Image back =
      read_image(image({{"a", matrix}, {"ids", to_tensor({0, 7, (1 << 24) - 1})}}, {{"k", "v"}}))
          .value();
  ASSERT_EQ(back.tensors.size(), 2);
  EXPECT_TRUE(back.tensors.at("a").equal(matrix));
  EXPECT_EQ(to_numbers(back.tensors.at("ids")), (std::vector<int32_t>{0, 7, (1 << 24) - 1}));
  EXPECT_EQ(back.metadata["k"], "v");
  EXPECT_EQ(read_image("nonsense").error().code, base::Code::kCorrupt);
}

}  // namespace
}  // namespace expunge::tensor
