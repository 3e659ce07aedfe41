// The diagonal of the empirical Fisher information: how much each weight matters to a set of
// examples.
#pragma once

#include "base/job.h"
#include "unlearn/objective.h"

namespace expunge::unlearn {

// kSample: the mean over examples of squared gradients, the definition. kBatch: the square of the
// gradient of a batch's mean loss, which the published LoKU code takes.
enum class FisherOf { kSample, kBatch };

// Calls use(name, gradient [O,I], contiguous) for each named matrix of a layer and each example or
// batch, of the answers' cross-entropy; no two are in memory at once -> how many examples or
// batches there were. Errors: kCancelled.
base::Result<double> each_gradient(
    const model::Model& model, std::span<const std::string> names,
    std::span<const model::Example* const> examples, FisherOf of, size_t batch,
    const base::Job& job,
    const std::function<void(const std::string& name, const Tensor& gradient)>& use);

// For each named matrix [O,I].
base::Result<std::map<std::string, Tensor>> fisher(const model::Model& model,
                                                   std::span<const std::string> names,
                                                   std::span<const model::Example* const> examples,
                                                   FisherOf of, size_t batch,
                                                   const base::Job& job = {});

}  // namespace expunge::unlearn
