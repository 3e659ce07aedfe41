// Where a file holds our tensors. In a GGUF several may be the rows of one (role.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/arch.h"
#include "tensor/tensor_file.h"

namespace expunge::model {

struct StoredPart {
  std::string name;         // ours
  tensor::TensorInfo info;  // its rows alone; named as in the file
};
// What of ours a tensor of a file holds, in the order of its rows. None if the architecture does
// not know it, or knows it in another size.
std::vector<StoredPart> parts_of(const Arch& arch, tensor::Format format,
                                 const tensor::TensorInfo& stored);
// The rows of a file that are a tensor of ours, in the file's order.
std::optional<tensor::TensorInfo> find_stored(const tensor::TensorFile& file, const Arch& arch,
                                              const std::string& name);

}  // namespace expunge::model
