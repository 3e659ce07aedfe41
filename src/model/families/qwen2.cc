// Qwen2 and 2.5: llama with biases of queries, keys and values (Yang et al. 2024, section 2.2).
#include "model/family.h"

namespace expunge::model {
namespace {

using base::Status;

const std::set<Role> kBiases = {Role::kQ, Role::kK, Role::kV};

Status read_hf(const JsonConfig& config, Arch& a) {
  a.biases = kBiases;
  TRY(read_usual(config, a));
  return read_qwen_windows(config, a);
}

Status read_gguf(const GgufConfig& config, Arch& a) {
  a.biases = kBiases;
  return read_usual(config, a);
}

void write_hf(const Arch& a, base::Json& json) {
  write_usual(a, json);
  write_qwen_windows(a, json);
}

}  // namespace

extern const Family family_qwen2;
const Family family_qwen2{.name = "qwen2",
                          .model_types = {"qwen2"},
                          .gguf = {"qwen2"},
                          .architecture = "Qwen2ForCausalLM",
                          .layer_prefix = "model.layers.",
                          .names = usual_names(),
                          .read_hf = read_hf,
                          .read_gguf = read_gguf,
                          .write_hf = write_hf};

}  // namespace expunge::model
