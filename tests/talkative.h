// A tiny model that seldom ends its turn, for tests of what decodes for many.
#pragma once

#include <memory>
#include <random>

#include "model/generate.h"
#include "tiny.h"

namespace expunge::tests {

inline Ids random_ids(uint64_t seed, size_t n) {
  std::mt19937_64 rng(seed);
  Ids ids;
  for (size_t i = 0; i < n; ++i) ids.push_back(static_cast<int32_t>(rng() % 64));
  return ids;
}

inline std::shared_ptr<const model::Model> talkative(uint64_t seed) {
  model::Arch arch = tiny_arch();
  arch.end_ids = {63};
  tensor::start(1);
  return shared(model::Model::from_weights(arch, random_weights(arch, seed)).value());
}

// The reply to a prompt that is the only one.
inline Ids alone(const model::Model& model, const Ids& prompt, int64_t n,
                 const model::Sampling& sampling = {}) {
  model::GenerateOptions options;
  options.max_new_tokens = n;
  options.sampling = sampling;
  return model::generate(model, {&prompt, 1}, options).value()[0].ids;
}

}  // namespace expunge::tests
