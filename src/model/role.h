// What a tensor is for, and what it is called: the checkpoint's (Hugging Face's) name, which is
// ours, and the GGUF's. Methods, probes and exports ask for a role of a layer, never for a string.
//
// GGUF stores queries and keys of the llama family with the rows of every head permuted for
// interleaved rotary embedding (llama.cpp, convert_hf_to_gguf.py, LlamaModel.permute). Ours is
// Hugging Face's order (rotate_half), so those rows are permuted back when read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace expunge::model {

struct Arch;

enum class Role : uint8_t {
  kEmbedding,      // [V,D]
  kPositions,      // [context,D], learned
  kFinalNorm,      // [D]
  kHead,           // [V,D]; absent where the embedding serves
  kInputNorm,      // [D], before attention
  kQ,              // [N*K,D]
  kK,              // [G*K,D]
  kV,              // [G*K,D]
  kQNorm,          // [K] or [N*K]
  kKNorm,          // [K] or [G*K]
  kO,              // [D,N*K]
  kAttentionNorm,  // [D], of what attention adds
  kMlpNorm,        // [D], before the MLP
  kGate,           // [F,D]
  kUp,             // [F,D]
  kDown,           // [D,F]
  kMlpOutputNorm,  // [D], of what the MLP adds
};

// A module's name in a checkpoint and in a GGUF, both without ".weight"; of a layer's module what
// follows the layer's prefix.
struct RoleName {
  Role role;
  std::string_view checkpoint, gguf;
};

struct TensorId {
  Role role;
  int64_t layer = -1;  // -1: outside the layers
  bool bias = false;
};

bool in_layer(Role role);
std::vector<int64_t> shape_of(const Arch& arch, Role role);  // of its weight
// Whether a model of this architecture has the module.
bool has(const Arch& arch, Role role);
Role head_role(const Arch& arch);  // whose matrix turns hidden states into logits

// "model.layers.7.mlp.down_proj.weight"; CHECKs that the family has the role.
std::string weight_name(const Arch& arch, Role role, int64_t layer = -1);
std::string bias_name(const Arch& arch, Role role, int64_t layer = -1);
std::optional<TensorId> identify(const Arch& arch, std::string_view name);
// 7 from "model.layers.7.mlp.down_proj.weight"; nullopt for tensors outside the layers.
std::optional<int64_t> layer_of(const Arch& arch, std::string_view name);

// What the names of a GGUF's layers begin with.
constexpr std::string_view kGgufLayerPrefix = "blk.";
// "blk.7.ffn_down.weight" <-> "model.layers.7.mlp.down_proj.weight"; nullopt for unknown names.
std::optional<std::string> name_from_gguf(const Arch& arch, std::string_view gguf_name);
std::optional<std::string> name_to_gguf(const Arch& arch, std::string_view name);
// A GGUF may hold queries, keys and values as one tensor, "blk.7.attn_qkv.weight": what of ours a
// GGUF's tensor holds, in the order of its rows, and the one tensor that may hold ours with others.
std::vector<std::string> names_from_gguf(const Arch& arch, std::string_view gguf_name);
std::optional<std::string> fused_name(const Arch& arch, std::string_view name);

// For a tensor whose rows GGUF permutes: row r of the Hugging Face order is row result[r] of the
// GGUF. Empty for every other tensor.
std::vector<int64_t> gguf_row_order(const Arch& arch, std::string_view name);

// What a tensor of a checkpoint lacks to be ours: 1 for gemma's norms, whose weight is w + 1 (a
// GGUF has it added).
double checkpoint_offset(const Arch& arch, std::string_view name);

// Every tensor the model needs, with its shape.
struct TensorSpec {
  std::string name;
  std::vector<int64_t> shape;
};
std::vector<TensorSpec> expected_tensors(const Arch& arch);

}  // namespace expunge::model
