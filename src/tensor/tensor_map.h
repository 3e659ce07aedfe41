// Named tensors as a safetensors image and back: what caches are made of.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "tensor/tensor.h"
#include "tensor/tensor_file.h"

namespace expunge::tensor {

using TensorMap = std::map<std::string, Tensor>;

// The tensors, float32, with texts beside them.
std::string image(const TensorMap& tensors, const std::map<std::string, std::string>& metadata);

struct Image {
  TensorMap tensors;    // float32
  base::Json metadata;  // texts
};
// Errors: kCorrupt.
base::Result<Image> read_image(std::string_view bytes);

// Whole numbers below 2^24, exact in float32: token ids, neuron numbers.
Tensor to_tensor(const std::vector<int32_t>& numbers);
std::vector<int32_t> to_numbers(const Tensor& tensor);

}  // namespace expunge::tensor
