// OLMo 2 (OLMo Team 2025, section 2.1): llama whose norms follow attention and MLP instead of
// preceding them, and whose queries and keys are normed over all heads together.
#include "model/family.h"

namespace expunge::model {
namespace {

using base::Status;

std::vector<RoleName> names() {
  std::vector<RoleName> names = usual_names();
  std::erase_if(names, [](const RoleName& n) {
    return n.role == Role::kInputNorm || n.role == Role::kMlpNorm;
  });
  names.push_back({Role::kQNorm, "self_attn.q_norm", "attn_q_norm"});
  names.push_back({Role::kKNorm, "self_attn.k_norm", "attn_k_norm"});
  names.push_back({Role::kAttentionNorm, "post_attention_layernorm", "post_attention_norm"});
  names.push_back({Role::kMlpOutputNorm, "post_feedforward_layernorm", "post_ffw_norm"});
  return names;
}

Status read_hf(const JsonConfig& config, Arch& a) {
  a.qk_norm = QkNorm::kWhole;
  TRY(read_usual(config, a));
  a.norm_eps = TRY(config.number("rms_norm_eps", 1e-5));
  return read_attention_bias(config, a);
}

Status read_gguf(const GgufConfig& config, Arch& a) {
  a.qk_norm = QkNorm::kWhole;
  return read_usual(config, a);
}

void write_hf(const Arch& a, base::Json& json) {
  write_usual(a, json);
  write_attention_bias(a, json);
}

}  // namespace

extern const Family family_olmo2;
const Family family_olmo2{.name = "olmo2",
                          .model_types = {"olmo2"},
                          .gguf = {"olmo2"},
                          .architecture = "Olmo2ForCausalLM",
                          .layer_prefix = "model.layers.",
                          .names = names(),
                          .read_hf = read_hf,
                          .read_gguf = read_gguf,
                          .write_hf = write_hf};

}  // namespace expunge::model
