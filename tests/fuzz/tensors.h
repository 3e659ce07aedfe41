// What both targets of model files check of a parsed file.
#pragma once

#include <span>
#include <vector>

#include "tensor/tensor_file.h"

namespace expunge::fuzz {

// Every tensor's bytes lie inside the input and have the size that shape and type ask for; small
// ones are dequantised.
inline void read_tensors(std::span<const std::byte> input, const tensor::ParsedFile& file) {
  for (const tensor::TensorInfo& t : file.tensors) {
    const tensor::DTypeInfo& type = tensor::info(t.dtype);
    CHECK(t.numel() % type.block == 0 && t.bytes.size() == t.numel() / type.block * type.bytes);
    if (t.bytes.empty() || !tensor::holds_weights(t.dtype)) continue;
    CHECK(t.bytes.data() >= input.data() &&
          t.bytes.data() + t.bytes.size() <= input.data() + input.size());
    std::vector<float> values(t.numel());
    tensor::dequantise(t.dtype, t.bytes, values);
  }
}

}  // namespace expunge::fuzz
