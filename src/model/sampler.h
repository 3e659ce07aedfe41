// How the next token is chosen from its logits.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "base/error.h"

namespace expunge::model {

struct Sampling {
  double temperature = 0;         // 0: greedy
  int64_t top_k = 0;              // 0: all
  double top_p = 1;               // nucleus (Holtzman et al. 2020)
  double min_p = 0;               // relative to the most likely token
  double repetition_penalty = 1;  // divides positive, multiplies negative logits of seen tokens
  uint64_t seed = 0;
};
base::Status validate(const Sampling& sampling);

// The first of the largest logits [V]. Where it is not finite the weights are damaged.
size_t likeliest(std::span<const float> logits);

class Sampler {
 public:
  explicit Sampler(const Sampling& sampling) : sampling_(sampling), rng_(sampling.seed) {}
  // `logits` [V]; `seen`: the prompt's and the generated ids.
  int32_t next(std::span<const float> logits, std::span<const int32_t> seen);

 private:
  Sampling sampling_;
  std::mt19937_64 rng_;
};

}  // namespace expunge::model
