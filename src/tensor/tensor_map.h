// Named tensors as a safetensors image and back: the format of caches.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/files.h"
#include "tensor/tensor.h"
#include "tensor/tensor_file.h"

namespace expunge::tensor {

using TensorMap = std::map<std::string, Tensor>;

// The tensors, float32, with texts as metadata.
std::string image(const TensorMap& tensors, const std::map<std::string, std::string>& metadata);

// The same written to a file, atomically, without the image in memory. Errors: kIo.
base::Status write_image(const std::string& path, const TensorMap& tensors,
                         const std::map<std::string, std::string>& metadata);

// The same to a file that is written often. image_bytes: its size.
base::Status write_image(base::TwinFile& file, const TensorMap& tensors,
                         const std::map<std::string, std::string>& metadata);
uint64_t image_bytes(const TensorMap& tensors, const std::map<std::string, std::string>& metadata);

struct Image {
  TensorMap tensors;    // float32
  base::Json metadata;  // texts
};
// Errors: kCorrupt.
base::Result<Image> read_image(std::string_view bytes);
// From a file; the tensors are views of it, read when they are used.
base::Result<Image> map_image(const std::string& path);
// Float32 values at `bytes` of a map, which the tensor keeps alive; read-only.
Tensor view_of(std::shared_ptr<const base::MappedFile> map, std::span<const std::byte> bytes,
               at::IntArrayRef shape);

// Whole numbers below 2^24, exact in float32: token ids, neuron numbers.
Tensor to_tensor(const std::vector<int32_t>& numbers);
std::vector<int32_t> to_numbers(const Tensor& tensor);

}  // namespace expunge::tensor
