// Tensor names: ours are the checkpoint's (Hugging Face); GGUF's are translated in file I/O.
//
// GGUF stores q_proj and k_proj of the llama family with the rows of every head permuted for
// interleaved rotary embedding (llama.cpp, convert_hf_to_gguf.py, LlamaModel.permute). Ours is
// Hugging Face's order (rotate_half), so those rows are permuted back when read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/config.h"

namespace expunge::model {

// "blk.7.ffn_down.weight" -> "model.layers.7.mlp.down_proj.weight"; nullopt for unknown names.
std::optional<std::string> name_from_gguf(std::string_view gguf_name);
std::optional<std::string> name_to_gguf(std::string_view name);

// "model.layers.7.mlp.down_proj.weight" from (7, "mlp.down_proj").
std::string layer_weight(int64_t layer, std::string_view module);

// 7 from "model.layers.7.mlp.down_proj.weight"; nullopt for tensors outside the layers.
std::optional<int64_t> layer_of(std::string_view name);

// For a tensor whose rows GGUF permutes: row r of the Hugging Face order is row result[r] of the
// GGUF. Empty for every other tensor.
std::vector<int64_t> gguf_row_order(const Config& config, std::string_view name);

// Every tensor the model needs, with its shape.
struct TensorSpec {
  std::string name;
  std::vector<int64_t> shape;
};
std::vector<TensorSpec> expected_tensors(const Config& config);

}  // namespace expunge::model
