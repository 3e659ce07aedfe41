// Gemma 3, text (Gemma Team 2025, section 2): GeGLU, norms with offset 1 before and after, normed
// queries and keys, windows in five layers of six with angles of their own, scaled embeddings.
#include <cmath>

#include "model/family.h"

namespace expunge::model {
namespace {

using base::Code;
using base::fail;
using base::Status;

constexpr int64_t kPattern = 6;
constexpr size_t kGlobalRope = 0, kLocalRope = 1;

std::vector<RoleName> names() {
  std::vector<RoleName> names = usual_names();
  for (RoleName& n : names)
    if (n.role == Role::kMlpNorm) n.checkpoint = "pre_feedforward_layernorm";
  names.push_back({Role::kQNorm, "self_attn.q_norm", "attn_q_norm"});
  names.push_back({Role::kKNorm, "self_attn.k_norm", "attn_k_norm"});
  names.push_back({Role::kAttentionNorm, "post_attention_layernorm", "post_attention_norm"});
  names.push_back({Role::kMlpOutputNorm, "post_feedforward_layernorm", "post_ffw_norm"});
  return names;
}

void set_fixed(Arch& a) {
  a.qk_norm = QkNorm::kHead;
  a.activation = Activation::kGeluTanh;
  a.embedding_scale = static_cast<double>(std::sqrt(static_cast<float>(a.d_model)));
}

// Layer i is local unless i + 1 is a multiple of the pattern.
void set_pattern(Arch& a, int64_t pattern, int64_t window) {
  if (window <= 0 || a.n_layers <= 0 || a.n_layers > 1 << 10) return;
  a.layers.assign(static_cast<size_t>(a.n_layers), {.rope = kGlobalRope});
  for (int64_t i = 0; i < a.n_layers; ++i)
    if (pattern <= 0 || (i + 1) % pattern != 0)
      a.layers[static_cast<size_t>(i)] = {.window = window, .rope = kLocalRope};
}

// {"full_attention": {…}, "sliding_attention": {…}}, or the form of transformers 4.
Status read_ropes(const JsonConfig& config, Arch& a) {
  const double global = TRY(config.number("rope_theta", 1e6));
  const double local = TRY(config.number("rope_local_base_freq", 1e4));
  const base::Json both = TRY(config.object("rope_parameters"));
  const JsonConfig inner(both);
  base::Json full = TRY(inner.object("full_attention"));
  const base::Json sliding = TRY(inner.object("sliding_attention"));
  if (const base::Json old = TRY(config.object("rope_scaling")); !old.empty()) full.update(old);
  a.ropes = {TRY(read_rope_object(full, global, config, a)),
             TRY(read_rope_object(sliding, local, config, a))};
  return {};
}

Status read_hf(const JsonConfig& config, Arch& a) {
  a.n_layers = TRY(config.integer("num_hidden_layers"));
  a.d_model = TRY(config.integer("hidden_size"));
  a.d_ff = TRY(config.integer("intermediate_size"));
  a.n_heads = TRY(config.integer("num_attention_heads", 8));
  a.n_kv_heads = TRY(config.integer("num_key_value_heads", 4));
  a.head_dim = TRY(config.integer("head_dim", 256));
  a.vocab_size = TRY(config.integer("vocab_size", 262208));
  a.context_length = TRY(config.integer("max_position_embeddings", 131072));
  a.norm_eps = TRY(config.number("rms_norm_eps", 1e-6));
  a.tied_embeddings = TRY(config.flag("tie_word_embeddings", true));
  set_fixed(a);
  a.activation = TRY(activation_of(TRY(config.text("hidden_activation", "gelu_pytorch_tanh"))));
  a.attention_scale = 1 / std::sqrt(TRY(config.number("query_pre_attn_scalar", 256)));
  a.logit_cap = TRY(config.number("final_logit_softcapping", 0));
  TRY(read_attention_bias(config, a));
  const int64_t window = TRY(config.integer("sliding_window", 4096));
  set_pattern(a, TRY(config.integer("sliding_window_pattern", kPattern)), window);
  if (config.has("layer_types")) {
    TRY(read_layer_types(config, window, a));
    for (LayerAttention& l : a.layers) l.rope = l.window > 0 ? kLocalRope : kGlobalRope;
  }
  return read_ropes(config, a);
}

Status read_gguf(const GgufConfig& config, Arch& a) {
  TRY(read_usual(config, a));
  set_fixed(a);
  if (!config.has("rope.freq_base")) a.ropes[0].theta = 1e6;
  a.ropes.push_back({.theta = TRY(config.number("rope.freq_base_swa", 10000))});
  a.logit_cap = TRY(config.number("final_logit_softcapping", 0));
  // 27B: by the width of all heads together, not of one (llama.cpp, gemma3.cpp).
  if (a.n_layers == 62)
    a.attention_scale =
        1 / std::sqrt(static_cast<double>(a.d_model) / static_cast<double>(a.n_heads));
  set_pattern(a, TRY(config.integer("attention.sliding_window_pattern", kPattern)),
              TRY(config.integer("attention.sliding_window", 0)));
  return {};
}

void write_hf(const Arch& a, base::Json& json) {
  write_usual(a, json);
  for (const char* other : {"hidden_act", "rope_theta", "rope_scaling"}) json.erase(other);
  json["hidden_activation"] = word_of(a.activation);
  // transformers 5 takes a whole number only.
  const double scalar = 1 / (a.score_scale() * a.score_scale()), whole = std::round(scalar);
  if (std::abs(scalar - whole) < 1e-9 * scalar)
    json["query_pre_attn_scalar"] = static_cast<int64_t>(whole);
  else
    json["query_pre_attn_scalar"] = scalar;
  if (a.logit_cap > 0) json["final_logit_softcapping"] = a.logit_cap;
  write_attention_bias(a, json);
  write_layer_types(a, json);
  const Rope& global = a.ropes[kGlobalRope];
  json["rope_theta"] = global.theta;
  if (a.ropes.size() > kLocalRope) json["rope_local_base_freq"] = a.ropes[kLocalRope].theta;
  if (global.scaling == Rope::Scaling::kNone) return;
  json["rope_scaling"] = rope_to_json(global);
  json["rope_scaling"].erase("rope_theta");
}

}  // namespace

extern const Family family_gemma3;
const Family family_gemma3{.name = "gemma3",
                           .model_types = {"gemma3_text"},
                           .gguf = {"gemma3"},
                           .architecture = "Gemma3ForCausalLM",
                           .layer_prefix = "model.layers.",
                           .names = names(),
                           .norm_offset = 1,
                           .read_hf = read_hf,
                           .read_gguf = read_gguf,
                           .write_hf = write_hf};

}  // namespace expunge::model
