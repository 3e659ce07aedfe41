// Mistral 7B: llama with a window over the last tokens (Jiang et al. 2023, section 2). Its GGUF
// says "llama" and has no window.
#include "model/family.h"

namespace expunge::model {
namespace {

base::Status read_hf(const JsonConfig& config, Arch& a) {
  TRY(read_usual(config, a));
  config.has("layer_types");  // not honoured by the reference
  const bool none = config.json().contains("sliding_window") && !config.has("sliding_window");
  const int64_t window = none ? 0 : TRY(config.integer("sliding_window", 4096));
  if (window > 0 && a.n_layers > 0 && a.n_layers <= 1 << 10)
    a.layers.assign(static_cast<size_t>(a.n_layers), {.window = window});
  return {};
}

void write_hf(const Arch& a, base::Json& json) {
  write_usual(a, json);
  json["sliding_window"] = a.layers.empty() ? base::Json() : base::Json(a.layers[0].window);
}

}  // namespace

extern const Family family_mistral;
const Family family_mistral{.name = "mistral",
                            .model_types = {"mistral"},
                            .gguf = {},
                            .architecture = "MistralForCausalLM",
                            .layer_prefix = "model.layers.",
                            .names = usual_names(),
                            .interleaved_in_gguf = true,
                            .read_hf = read_hf,
                            .read_gguf = nullptr,
                            .write_hf = write_hf};

}  // namespace expunge::model
