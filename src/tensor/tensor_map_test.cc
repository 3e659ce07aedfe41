#include "tensor/tensor_map.h"

#include <gtest/gtest.h>

#include "golden.h"

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

TEST(TensorMap, AFileIsTheImage) {
  const tests::TempDir dir;
  const std::string path = dir / "map.safetensors";
  const TensorMap map = {{"a", at::arange(6, f32()).view({2, 3}).t()},
                         {"none", at::empty({0}, f32())}};
  ASSERT_TRUE(write_image(path, map, {{"k", "v"}}));
  EXPECT_EQ(base::read_file(path).value(), image(map, {{"k", "v"}}));
  const Image back = map_image(path).value();
  ASSERT_TRUE(write_image(path, {{"a", at::zeros({3, 2}, f32())}}, {}));  // a view is of what was
  EXPECT_TRUE(back.tensors.at("a").equal(map.at("a")));
  EXPECT_EQ(back.tensors.at("none").numel(), 0);
  EXPECT_EQ(back.metadata["k"], "v");
  EXPECT_EQ(map_image(dir / "none").error().code, base::Code::kNotFound);
}

}  // namespace
}  // namespace expunge::tensor
