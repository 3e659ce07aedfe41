// Llama 2 and 3, Yi, SmolLM2, TinyLlama and the stories models: pre-norm blocks of rotary
// grouped-query attention and a SwiGLU MLP (Touvron et al. 2023, section 2.2).
#include "model/family.h"

namespace expunge::model {
namespace {

using base::Status;

constexpr Role kMlp[] = {Role::kGate, Role::kUp, Role::kDown};

Status read_hf(const JsonConfig& config, Arch& a) {
  TRY(read_usual(config, a));
  TRY(read_attention_bias(config, a));
  if (TRY(config.flag("mlp_bias", false))) a.biases.insert(std::begin(kMlp), std::end(kMlp));
  return {};
}

Status read_gguf(const GgufConfig& config, Arch& a) {
  TRY(read_usual(config, a));
  if (a.n_rotary == 0) return {};
  return base::fail(base::Code::kUnsupported,
                    fmt::format("the GGUF's llama.rope.dimension_count is {}, expected the heads' "
                                "width {}",
                                a.n_rotary, a.head_dim),
                    "llama.cpp refuses such a file too; is it of another architecture?");
}

void write_hf(const Arch& a, base::Json& json) {
  write_usual(a, json);
  write_attention_bias(a, json);
  if (a.biases.contains(Role::kDown)) json["mlp_bias"] = true;
}

}  // namespace

extern const Family family_llama;
const Family family_llama{.name = "llama",
                          .model_types = {"llama"},
                          .gguf = {"llama"},
                          .architecture = "LlamaForCausalLM",
                          .layer_prefix = "model.layers.",
                          .names = usual_names(),
                          .interleaved_in_gguf = true,
                          .read_hf = read_hf,
                          .read_gguf = read_gguf,
                          .write_hf = write_hf};

}  // namespace expunge::model
