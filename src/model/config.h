// The shape of a decoder-only transformer, read from GGUF metadata or a Hugging Face config.json.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"

namespace expunge::tensor {
class GgufMeta;
}

namespace expunge::model {

// Llama 3's frequency-dependent scaling of the rotary embedding; absent in the other models.
struct RopeScaling {
  double factor = 1;
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  int64_t original_context = 8192;
};

struct Config {
  std::string family;      // the word in model_type / general.architecture, e.g. "llama"
  int64_t n_layers = 0;    // L
  int64_t d_model = 0;     // D
  int64_t d_ff = 0;        // F
  int64_t n_heads = 0;     // N
  int64_t n_kv_heads = 0;  // G
  int64_t head_dim = 0;    // K
  int64_t vocab_size = 0;  // V
  int64_t context_length = 0;
  double rope_theta = 10000;
  std::optional<RopeScaling> rope_scaling;
  double norm_eps = 1e-5;
  bool tied_embeddings = false;
  std::vector<int32_t> end_ids;  // generation stops at any of these
};

base::Result<Config> config_from_gguf(const tensor::GgufMeta& meta);
// `config` is config.json; `generation_config` may be null.
base::Result<Config> config_from_hf(const base::Json& config, const base::Json& generation_config);
// The scaling encoded in a GGUF's rope_freqs.weight (divisors of the frequencies).
base::Result<std::optional<RopeScaling>> rope_scaling_from_factors(const Config& config,
                                                                   std::span<const float> factors);
// Long waves are divided by `factor`, short ones unchanged, a ramp in between.
double scaled_frequency(const RopeScaling& scaling, double frequency);
base::Json config_to_hf(const Config& config);

// Every field positive, bounded and consistent (N divides by G, an even K, …): both readers call
// it.
base::Status validate(const Config& config);

}  // namespace expunge::model
