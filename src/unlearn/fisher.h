// The diagonal of the empirical Fisher information: how much each weight matters to a set of
// examples.
#pragma once

#include "unlearn/objective.h"

namespace expunge::unlearn {

// kSample: the mean over examples of squared gradients, the definition. kBatch: the square of the
// gradient of a batch's mean loss, which the published LoKU code takes.
enum class FisherOf { kSample, kBatch };

// For each named matrix [O,I], of the answers' cross-entropy. Errors: kCancelled.
base::Result<std::map<std::string, Tensor>> fisher(const model::Model& model,
                                                   std::span<const std::string> names,
                                                   std::span<const model::Example* const> examples,
                                                   FisherOf of, size_t batch);

}  // namespace expunge::unlearn
