#include "model/role.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "model/family.h"

namespace expunge::model {
namespace {

constexpr std::string_view kWeight = ".weight", kBias = ".bias";
// One matrix in place of these, whatever the family (llama.cpp, LLM_TENSOR_ATTN_QKV).
constexpr std::string_view kFused = "attn_qkv";
constexpr Role kFusedRoles[] = {Role::kQ, Role::kK, Role::kV};

const Family& family_of(const Arch& arch) {
  const Family* family = find_family(arch.family);
  CHECK(family, "{}", arch.family);
  return *family;
}

const RoleName* find_name(const Family& family, Role role) {
  const auto found = std::ranges::find(family.names, role, &RoleName::role);
  return found == family.names.end() ? nullptr : &*found;
}

std::string full_name(const Arch& arch, Role role, int64_t layer, std::string_view suffix) {
  const Family& family = family_of(arch);
  const RoleName* name = find_name(family, role);
  CHECK(name && in_layer(role) == (layer >= 0), "role {} of layer {}", static_cast<int>(role),
        layer);
  if (layer < 0) return fmt::format("{}{}", name->checkpoint, suffix);
  return fmt::format("{}{}.{}{}", family.layer_prefix, layer, name->checkpoint, suffix);
}

struct Parts {
  int64_t layer = -1;
  std::string_view module;
  std::string_view suffix;
};

// "blk.7.ffn_down.weight" in its parts; a name outside the layers has layer -1.
std::optional<Parts> split(std::string_view name, std::string_view prefix) {
  Parts parts;
  for (const std::string_view suffix : {kWeight, kBias})
    if (name.ends_with(suffix)) parts.suffix = suffix;
  if (parts.suffix.empty()) return std::nullopt;
  name.remove_suffix(parts.suffix.size());
  parts.module = name;
  if (!name.starts_with(prefix)) return parts;
  name.remove_prefix(prefix.size());
  const auto [end, ec] = std::from_chars(name.data(), name.data() + name.size(), parts.layer);
  if (ec != std::errc() || end == name.data() + name.size() || *end != '.' || parts.layer < 0)
    return std::nullopt;
  parts.module = name.substr(static_cast<size_t>(end - name.data()) + 1);
  return parts;
}

// The role whose name, in one of the two languages, is that of the parts.
const RoleName* find_module(const Family& family, const Parts& parts,
                            std::string_view RoleName::*language) {
  for (const RoleName& name : family.names)
    if (in_layer(name.role) == (parts.layer >= 0) && name.*language == parts.module) return &name;
  return nullptr;
}

}  // namespace

bool in_layer(Role role) { return role >= Role::kInputNorm; }

std::vector<int64_t> shape_of(const Arch& a, Role role) {
  const int64_t q = a.n_heads * a.head_dim, kv = a.n_kv_heads * a.head_dim;
  const bool whole = a.qk_norm == QkNorm::kWhole;
  switch (role) {
    case Role::kEmbedding:
    case Role::kHead:
      return {a.vocab_size, a.d_model};
    case Role::kPositions:
      return {a.context_length, a.d_model};
    case Role::kQ:
      return {q, a.d_model};
    case Role::kK:
    case Role::kV:
      return {kv, a.d_model};
    case Role::kO:
      return {a.d_model, q};
    case Role::kQNorm:
      return {whole ? q : a.head_dim};
    case Role::kKNorm:
      return {whole ? kv : a.head_dim};
    case Role::kGate:
    case Role::kUp:
      return {a.d_ff, a.d_model};
    case Role::kDown:
      return {a.d_model, a.d_ff};
    case Role::kFinalNorm:
    case Role::kInputNorm:
    case Role::kAttentionNorm:
    case Role::kMlpNorm:
    case Role::kMlpOutputNorm:
      return {a.d_model};
  }
  return {};
}

bool has(const Arch& arch, Role role) {
  if (role == Role::kHead && arch.tied_embeddings) return false;
  return find_name(family_of(arch), role) != nullptr;
}

Role head_role(const Arch& arch) { return arch.tied_embeddings ? Role::kEmbedding : Role::kHead; }

std::string weight_name(const Arch& arch, Role role, int64_t layer) {
  return full_name(arch, role, layer, kWeight);
}

std::string bias_name(const Arch& arch, Role role, int64_t layer) {
  return full_name(arch, role, layer, kBias);
}

std::optional<TensorId> identify(const Arch& arch, std::string_view name) {
  const Family& family = family_of(arch);
  const auto parts = split(name, family.layer_prefix);
  if (!parts) return std::nullopt;
  const RoleName* found = find_module(family, *parts, &RoleName::checkpoint);
  if (!found) return std::nullopt;
  return TensorId{found->role, parts->layer, parts->suffix == kBias};
}

std::optional<int64_t> layer_of(const Arch& arch, std::string_view name) {
  const auto id = identify(arch, name);
  return id && id->layer >= 0 ? std::optional(id->layer) : std::nullopt;
}

std::optional<std::string> name_from_gguf(const Arch& arch, std::string_view gguf_name) {
  const Family& family = family_of(arch);
  const auto parts = split(gguf_name, kGgufLayerPrefix);
  if (!parts) return std::nullopt;
  const RoleName* found = find_module(family, *parts, &RoleName::gguf);
  if (!found || found->gguf.empty()) return std::nullopt;
  return full_name(arch, found->role, parts->layer, parts->suffix);
}

std::optional<std::string> name_to_gguf(const Arch& arch, std::string_view name) {
  const Family& family = family_of(arch);
  const auto id = identify(arch, name);
  if (!id) return std::nullopt;
  const std::string_view gguf = find_name(family, id->role)->gguf;
  if (gguf.empty()) return std::nullopt;
  const std::string_view suffix = id->bias ? kBias : kWeight;
  if (id->layer < 0) return fmt::format("{}{}", gguf, suffix);
  return fmt::format("{}{}.{}{}", kGgufLayerPrefix, id->layer, gguf, suffix);
}

std::vector<std::string> names_from_gguf(const Arch& arch, std::string_view gguf_name) {
  if (const auto one = name_from_gguf(arch, gguf_name)) return {*one};
  const auto parts = split(gguf_name, kGgufLayerPrefix);
  if (!parts || parts->layer < 0 || parts->module != kFused) return {};
  std::vector<std::string> names;
  for (const Role role : kFusedRoles)
    names.push_back(full_name(arch, role, parts->layer, parts->suffix));
  return names;
}

std::optional<std::string> fused_name(const Arch& arch, std::string_view name) {
  const auto id = identify(arch, name);
  if (!id || std::ranges::find(kFusedRoles, id->role) == std::end(kFusedRoles)) return std::nullopt;
  return fmt::format("{}{}.{}{}", kGgufLayerPrefix, id->layer, kFused, id->bias ? kBias : kWeight);
}

std::vector<int64_t> gguf_row_order(const Arch& arch, std::string_view name) {
  const auto id = identify(arch, name);
  if (!family_of(arch).interleaved_in_gguf || !id) return {};
  if (id->role != Role::kQ && id->role != Role::kK) return {};
  const int64_t heads = id->role == Role::kQ ? arch.n_heads : arch.n_kv_heads;
  const int64_t width = arch.head_dim, half = width / 2;
  std::vector<int64_t> order(static_cast<size_t>(heads * width));
  // permute() reshapes [heads, 2, K/2] and swaps the last two: GGUF row (h, 2i + j) holds (h, j,
  // i).
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t j = 0; j < 2; ++j)
      for (int64_t i = 0; i < half; ++i)
        order[static_cast<size_t>(h * width + j * half + i)] = h * width + 2 * i + j;
  return order;
}

double checkpoint_offset(const Arch& arch, std::string_view name) {
  const double offset = family_of(arch).norm_offset;
  if (offset == 0) return 0;
  const auto id = identify(arch, name);
  return id && !id->bias && shape_of(arch, id->role).size() == 1 ? offset : 0;
}

std::vector<TensorSpec> expected_tensors(const Arch& a) {
  std::vector<TensorSpec> specs;
  const auto add = [&](Role role, int64_t layer) {
    const std::vector<int64_t> shape = shape_of(a, role);
    specs.push_back({weight_name(a, role, layer), shape});
    const bool normed = shape.size() == 1;  // a norm
    if (a.biases.contains(role) || (normed && a.norm == Norm::kLayer))
      specs.push_back({bias_name(a, role, layer), {shape[0]}});
  };
  const Family& family = family_of(a);
  for (const RoleName& name : family.names)
    if (!in_layer(name.role) && has(a, name.role)) add(name.role, -1);
  for (int64_t i = 0; i < a.n_layers; ++i)
    for (const RoleName& name : family.names)
      if (in_layer(name.role)) add(name.role, i);
  return specs;
}

}  // namespace expunge::model
