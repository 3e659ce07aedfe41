// Qwen3: llama whose heads have their own width and whose queries and keys are normed (Yang et al.
// 2025, section 2).
#include "model/family.h"

namespace expunge::model {
namespace {

using base::Status;

std::vector<RoleName> names() {
  std::vector<RoleName> names = usual_names();
  names.push_back({Role::kQNorm, "self_attn.q_norm", "attn_q_norm"});
  names.push_back({Role::kKNorm, "self_attn.k_norm", "attn_k_norm"});
  return names;
}

Status read_hf(const JsonConfig& config, Arch& a) {
  a.qk_norm = QkNorm::kHead;
  TRY(read_usual(config, a));
  if (!config.has("head_dim")) a.head_dim = 128;
  TRY(read_attention_bias(config, a));
  return read_qwen_windows(config, a);
}

Status read_gguf(const GgufConfig& config, Arch& a) {
  a.qk_norm = QkNorm::kHead;
  return read_usual(config, a);
}

void write_hf(const Arch& a, base::Json& json) {
  write_usual(a, json);
  write_qwen_windows(a, json);
  write_attention_bias(a, json);
}

}  // namespace

extern const Family family_qwen3;
const Family family_qwen3{.name = "qwen3",
                          .model_types = {"qwen3"},
                          .gguf = {"qwen3"},
                          .architecture = "Qwen3ForCausalLM",
                          .layer_prefix = "model.layers.",
                          .names = names(),
                          .read_hf = read_hf,
                          .read_gguf = read_gguf,
                          .write_hf = write_hf};

}  // namespace expunge::model
