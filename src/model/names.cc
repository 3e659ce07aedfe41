#include "model/names.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>

namespace expunge::model {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;  // GGUF, checkpoint

constexpr std::array<Pair, 3> kGlobal = {{
    {"token_embd.weight", "model.embed_tokens.weight"},
    {"output_norm.weight", "model.norm.weight"},
    {"output.weight", "lm_head.weight"},
}};
constexpr std::array<Pair, 9> kLayer = {{
    {"attn_norm", "input_layernorm"},
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
}};
constexpr std::string_view kGgufPrefix = "blk.";
constexpr std::string_view kPrefix = "model.layers.";
constexpr std::string_view kSuffix = ".weight";

struct LayerName {
  int64_t layer;
  std::string_view module;
};

std::optional<LayerName> split(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix) || !name.ends_with(kSuffix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  name.remove_suffix(kSuffix.size());
  LayerName result{};
  const auto [end, ec] = std::from_chars(name.data(), name.data() + name.size(), result.layer);
  if (ec != std::errc() || end == name.data() + name.size() || *end != '.') return std::nullopt;
  result.module = name.substr(static_cast<size_t>(end - name.data()) + 1);
  return result;
}

}  // namespace

std::optional<std::string> name_from_gguf(std::string_view gguf_name) {
  for (const auto& [gguf, name] : kGlobal)
    if (gguf == gguf_name) return std::string(name);
  if (const auto parts = split(gguf_name, kGgufPrefix))
    for (const auto& [gguf, module] : kLayer)
      if (gguf == parts->module) return layer_weight(parts->layer, module);
  return std::nullopt;
}

std::optional<std::string> name_to_gguf(std::string_view name) {
  for (const auto& [gguf, ours] : kGlobal)
    if (ours == name) return std::string(gguf);
  if (const auto parts = split(name, kPrefix))
    for (const auto& [gguf, module] : kLayer)
      if (module == parts->module)
        return fmt::format("{}{}.{}{}", kGgufPrefix, parts->layer, gguf, kSuffix);
  return std::nullopt;
}

std::string layer_weight(int64_t layer, std::string_view module) {
  return fmt::format("{}{}.{}{}", kPrefix, layer, module, kSuffix);
}

std::optional<int64_t> layer_of(std::string_view name) {
  const auto parts = split(name, kPrefix);
  return parts ? std::optional(parts->layer) : std::nullopt;
}

std::vector<int64_t> gguf_row_order(const Config& config, std::string_view name) {
  const auto parts = split(name, kPrefix);
  if (!parts) return {};
  const bool is_q = parts->module == "self_attn.q_proj";
  if (!is_q && parts->module != "self_attn.k_proj") return {};
  const int64_t heads = is_q ? config.n_heads : config.n_kv_heads;
  const int64_t width = config.head_dim, half = width / 2;
  std::vector<int64_t> order(static_cast<size_t>(heads * width));
  // permute() reshapes [heads, 2, K/2] and swaps the last two: GGUF row (h, 2i + j) holds (h, j,
  // i).
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t j = 0; j < 2; ++j)
      for (int64_t i = 0; i < half; ++i)
        order[static_cast<size_t>(h * width + j * half + i)] = h * width + 2 * i + j;
  return order;
}

std::vector<TensorSpec> expected_tensors(const Config& c) {
  std::vector<TensorSpec> specs{{"model.embed_tokens.weight", {c.vocab_size, c.d_model}},
                                {"model.norm.weight", {c.d_model}}};
  if (!c.tied_embeddings) specs.push_back({"lm_head.weight", {c.vocab_size, c.d_model}});
  const int64_t q = c.n_heads * c.head_dim, kv = c.n_kv_heads * c.head_dim;
  for (int64_t i = 0; i < c.n_layers; ++i) {
    const std::pair<std::string_view, std::vector<int64_t>> modules[] = {
        {"input_layernorm", {c.d_model}},       {"self_attn.q_proj", {q, c.d_model}},
        {"self_attn.k_proj", {kv, c.d_model}},  {"self_attn.v_proj", {kv, c.d_model}},
        {"self_attn.o_proj", {c.d_model, q}},   {"post_attention_layernorm", {c.d_model}},
        {"mlp.gate_proj", {c.d_ff, c.d_model}}, {"mlp.up_proj", {c.d_ff, c.d_model}},
        {"mlp.down_proj", {c.d_model, c.d_ff}},
    };
    for (const auto& [module, shape] : modules) specs.push_back({layer_weight(i, module), shape});
  }
  return specs;
}

}  // namespace expunge::model
