// Phi 1, 1.5 and 2 (Li et al. 2023): attention and MLP side by side on one LayerNorm's output, part
// of each head rotated, GELU, biases everywhere.
#include "model/family.h"

namespace expunge::model {
namespace {

using base::Status;

std::vector<RoleName> names() {
  return {{Role::kEmbedding, "model.embed_tokens", "token_embd"},
          {Role::kFinalNorm, "model.final_layernorm", "output_norm"},
          {Role::kHead, "lm_head", "output"},
          {Role::kInputNorm, "input_layernorm", "attn_norm"},
          {Role::kQ, "self_attn.q_proj", "attn_q"},
          {Role::kK, "self_attn.k_proj", "attn_k"},
          {Role::kV, "self_attn.v_proj", "attn_v"},
          {Role::kO, "self_attn.dense", "attn_output"},
          {Role::kUp, "mlp.fc1", "ffn_up"},
          {Role::kDown, "mlp.fc2", "ffn_down"}};
}

void set_fixed(Arch& a) {
  a.norm = Norm::kLayer;
  a.gated = false;
  a.parallel = true;
  a.activation = Activation::kGeluTanh;
  a.biases = {Role::kHead, Role::kQ, Role::kK, Role::kV, Role::kO, Role::kUp, Role::kDown};
}

Status read_hf(const JsonConfig& config, Arch& a) {
  set_fixed(a);
  TRY(read_usual(config, a));
  const base::Json rope = TRY(config.object("rope_parameters"));
  if (!config.has("partial_rotary_factor") && !rope.contains("partial_rotary_factor"))
    a.n_rotary = a.head_dim / 2;
  a.norm_eps = TRY(config.number("layer_norm_eps", 1e-5));
  a.activation = TRY(activation_of(TRY(config.text("hidden_act", "gelu_new"))));
  return {};
}

Status read_gguf(const GgufConfig& config, Arch& a) {
  set_fixed(a);
  TRY(read_usual(config, a));
  a.norm_eps = TRY(config.number("attention.layer_norm_epsilon"));
  return {};
}

void write_hf(const Arch& a, base::Json& json) {
  write_usual(a, json);
  json.erase("rms_norm_eps");
  json["layer_norm_eps"] = a.norm_eps;
  json["partial_rotary_factor"] = static_cast<double>(a.rotary()) / static_cast<double>(a.head_dim);
}

}  // namespace

extern const Family family_phi;
const Family family_phi{.name = "phi",
                        .model_types = {"phi"},
                        .gguf = {"phi2"},
                        .architecture = "PhiForCausalLM",
                        .layer_prefix = "model.layers.",
                        .names = names(),
                        .read_hf = read_hf,
                        .read_gguf = read_gguf,
                        .write_hf = write_hf};

}  // namespace expunge::model
