// GPT-Neo and TinyStories (Black et al. 2021): learned positions, LayerNorm, scores that are not
// scaled, a GELU MLP, windows in every second layer. llama.cpp has no such architecture.
#include "model/family.h"

namespace expunge::model {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Status;

std::vector<RoleName> names() {
  return {{Role::kEmbedding, "transformer.wte", ""},
          {Role::kPositions, "transformer.wpe", ""},
          {Role::kFinalNorm, "transformer.ln_f", ""},
          {Role::kHead, "lm_head", ""},
          {Role::kInputNorm, "ln_1", ""},
          {Role::kQ, "attn.attention.q_proj", ""},
          {Role::kK, "attn.attention.k_proj", ""},
          {Role::kV, "attn.attention.v_proj", ""},
          {Role::kO, "attn.attention.out_proj", ""},
          {Role::kMlpNorm, "ln_2", ""},
          {Role::kUp, "mlp.c_fc", ""},
          {Role::kDown, "mlp.c_proj", ""}};
}

// attention_types: [[["global", "local"], 12]], each list of kinds as often as the number says.
Status read_windows(const JsonConfig& config, int64_t window, Arch& a) {
  if (!config.has("attention_types"))
    return fail(Code::kCorrupt, "config.json: attention_types is missing");
  std::vector<LayerAttention> layers;
  const auto bad = [] { return fail(Code::kCorrupt, "config.json: attention_types is malformed"); };
  for (const Json& group : config.json()["attention_types"]) {
    if (!group.is_array() || group.size() != 2 || !group[0].is_array() ||
        !group[1].is_number_integer() || group[1].get<int64_t>() > 1 << 10)
      return bad();
    for (int64_t n = group[1].get<int64_t>(); n > 0; --n)
      for (const Json& kind : group[0]) {
        if (kind != "global" && kind != "local") return bad();
        layers.push_back({.window = kind == "local" ? window : 0});
      }
    if (layers.size() > 1 << 10) return bad();
  }
  if (static_cast<int64_t>(layers.size()) != a.n_layers) return bad();
  a.layers = std::move(layers);
  return {};
}

Status read_hf(const JsonConfig& config, Arch& a) {
  a.norm = Norm::kLayer;
  a.gated = false;
  a.biases = {Role::kO, Role::kUp, Role::kDown};
  a.ropes.clear();
  a.attention_scale = 1;
  const bool long_names = config.has("num_hidden_layers");  // transformers takes both
  a.n_layers = TRY(config.integer(long_names ? "num_hidden_layers" : "num_layers", 24));
  a.n_heads = TRY(
      config.integer(config.has("num_attention_heads") ? "num_attention_heads" : "num_heads", 16));
  a.n_kv_heads = a.n_heads;
  a.d_model = TRY(config.integer("hidden_size", 2048));
  a.d_ff = TRY(config.integer("intermediate_size", 4 * a.d_model));
  a.head_dim = a.n_heads > 0 ? a.d_model / a.n_heads : 0;
  a.vocab_size = TRY(config.integer("vocab_size", 50257));
  a.context_length = TRY(config.integer("max_position_embeddings", 2048));
  a.norm_eps = TRY(config.number("layer_norm_epsilon", 1e-5));
  a.activation = TRY(activation_of(TRY(config.text("activation_function", "gelu_new"))));
  a.tied_embeddings = TRY(config.flag("tie_word_embeddings", true));
  return read_windows(config, TRY(config.integer("window_size", 256)), a);
}

void write_hf(const Arch& a, Json& json) {
  json["num_layers"] = a.n_layers, json["num_heads"] = a.n_heads;
  json["hidden_size"] = a.d_model, json["intermediate_size"] = a.d_ff;
  json["vocab_size"] = a.vocab_size, json["max_position_embeddings"] = a.context_length;
  json["layer_norm_epsilon"] = a.norm_eps, json["activation_function"] = word_of(a.activation);
  json["tie_word_embeddings"] = a.tied_embeddings;
  Json kinds = Json::array();
  for (const LayerAttention& layer : a.layers) {
    kinds.push_back(layer.window > 0 ? "local" : "global");
    if (layer.window > 0) json["window_size"] = layer.window;
  }
  json["attention_types"] = Json::array({Json::array({kinds, 1})});
}

}  // namespace

extern const Family family_gpt_neo;
const Family family_gpt_neo{.name = "gpt_neo",
                            .model_types = {"gpt_neo"},
                            .gguf = {},
                            .architecture = "GPTNeoForCausalLM",
                            .layer_prefix = "transformer.h.",
                            .names = names(),
                            .read_hf = read_hf,
                            .read_gguf = nullptr,
                            .write_hf = write_hf};

}  // namespace expunge::model
