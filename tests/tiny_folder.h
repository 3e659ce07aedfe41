// A tiny model as a Hugging Face folder: weights and config.json, without a tokenizer.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tensor/tensor_file.h"
#include "tiny.h"

namespace expunge::tests {

// `list`: tensors besides.
inline void write_folder(const std::string& folder, const model::Arch& arch,
                         const std::map<std::string, Tensor>& weights,
                         std::vector<tensor::NamedBytes> list = {}) {
  std::map<std::string, Tensor> stored;
  for (const auto& [name, weight] : weights) {
    const double offset = model::checkpoint_offset(arch, name);
    const Tensor& w = stored[name] = offset == 0 ? weight : weight - offset;
    list.push_back({name,
                    tensor::DType::kF32,
                    w.sizes().vec(),
                    {static_cast<const std::byte*>(w.data_ptr()), w.nbytes()}});
  }
  write_bytes(folder + "/model.safetensors", tensor::safetensors_image(list, {}));
  write_bytes(folder + "/config.json", base::dump_json(model::arch_to_hf(arch)));
}

}  // namespace expunge::tests
