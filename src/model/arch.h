// The facts of a decoder-only transformer as data: its sizes and what a block computes.
//
// Read from GGUF metadata or a Hugging Face config.json by the files of families/. One block
// (block.h) computes every architecture from it.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/role.h"
#include "model/rope.h"

namespace expunge::tensor {
class GgufMeta;
}

namespace expunge::model {

enum class Norm { kRms, kLayer };  // RMSNorm (Zhang and Sennrich 2019), LayerNorm (Ba et al. 2016)
// Of queries and keys before rotation: of each head's [K], or of all heads together, [N*K].
enum class QkNorm { kNone, kHead, kWhole };
// x σ(x); 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))) (Hendrycks and Gimpel 2016, with tanh).
enum class Activation { kSilu, kGeluTanh };

struct LayerAttention {
  int64_t window = 0;  // tokens that a token sees, itself included; 0: all before it
  size_t rope = 0;     // in Arch::ropes
  bool operator==(const LayerAttention&) const = default;
};

struct Arch {
  std::string family;      // the file in families/: "llama"
  int64_t n_layers = 0;    // L
  int64_t d_model = 0;     // D
  int64_t d_ff = 0;        // F
  int64_t n_heads = 0;     // N
  int64_t n_kv_heads = 0;  // G
  int64_t head_dim = 0;    // K
  int64_t vocab_size = 0;  // V
  int64_t context_length = 0;

  Norm norm = Norm::kRms;
  double norm_eps = 1e-5;
  QkNorm qk_norm = QkNorm::kNone;
  std::set<Role> biases;                  // of which modules
  std::vector<Rope> ropes = {Rope{}};     // none: queries and keys are not rotated
  int64_t n_rotary = 0;                   // leading components of a head that are; 0: all
  std::vector<LayerAttention> layers;     // one a layer; none: all see everything
  std::optional<double> attention_scale;  // of scores; absent: 1 / √K
  Activation activation = Activation::kSilu;
  bool gated = true;      // down(act(gate(x)) up(x)), not down(act(up(x)))
  bool parallel = false;  // attention and MLP read the same normed input
  double embedding_scale = 1;
  double logit_cap = 0;  // c tanh(logits / c); 0: none
  bool tied_embeddings = false;
  std::vector<int32_t> end_ids;   // generation stops at any of these
  size_t n_line_ends = 0;         // the first of them end a line, where an answer is one line
  std::vector<int32_t> unspoken;  // ids that are no tokens and are never sampled

  // Without the ends of a line: of text that goes on, and what an export states.
  std::vector<int32_t> text_end_ids() const {
    return {end_ids.begin() + static_cast<std::ptrdiff_t>(n_line_ends), end_ids.end()};
  }
  LayerAttention attention_of(int64_t layer) const {
    return layers.empty() ? LayerAttention{} : layers[static_cast<size_t>(layer)];
  }
  int64_t rotary() const { return n_rotary > 0 ? n_rotary : head_dim; }
  double score_scale() const;
};

base::Result<Arch> arch_from_gguf(const tensor::GgufMeta& meta);
// `config` is config.json; `generation_config` may be null.
base::Result<Arch> arch_from_hf(const base::Json& config, const base::Json& generation_config);
// A config.json that arch_from_hf reads as `arch`.
base::Json arch_to_hf(const Arch& arch);

// Every field positive, bounded and consistent (N divides by G, an even K, …): both readers call
// it.
base::Status validate(const Arch& arch);

}  // namespace expunge::model
