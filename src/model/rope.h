// Rotary position embeddings (Su et al. 2021, eq. 34): the angles, with the scalings that stretch
// them to longer contexts. Which formula belongs to which word is transformers'
// (modeling_rope_utils.py).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "tensor/tensor.h"

namespace expunge::model {

struct Rope {
  enum class Scaling { kNone, kLinear, kDynamic, kLlama3, kYarn };
  double theta = 10000;
  Scaling scaling = Scaling::kNone;
  double factor = 1;
  // Trained length: of llama3 and yarn the one before the stretch; of dynamic the one from which on
  // angles depend on the sequence's length.
  int64_t original_context = 0;
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  double beta_fast = 32, beta_slow = 1;              // yarn (Peng et al. 2023, eq. 17 to 22)
  bool truncate = true;                              // yarn: ends of the ramp are whole numbers
  double magnitude = 1;                              // yarn: multiplies cos and sin
  bool operator==(const Rope&) const = default;
};

base::Status validate(const Rope& rope);

std::vector<int32_t> first_positions(int64_t n);  // 0 .. n-1

// Radians a position of each pair [n_rotary/2], of a sequence of `length` tokens (only dynamic
// scaling depends on it).
std::vector<double> frequencies(const Rope& rope, int64_t n_rotary, int64_t length);

// cos and sin [rows,n_rotary/2] float32, times the magnitude; `positions` and the `lengths` of
// their sequences a row.
struct RopeTable {
  tensor::Tensor cos, sin;
};
RopeTable rope_table(const Rope& rope, int64_t n_rotary, std::span<const int32_t> positions,
                     std::span<const int32_t> lengths);

// The llama3 scaling whose frequencies are those of no scaling divided by `factors` [K/2], as
// rope_freqs.weight of a GGUF holds them.
base::Result<Rope> rope_from_factors(const Rope& rope, std::span<const float> factors);

}  // namespace expunge::model
