// CE-U (arXiv 2503.01224): cross-entropy to a distribution with the answer's token removed: the
// reference's, or that of the model as it is at the step.
#include <limits>

#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

constexpr double kReference = 0;

Tensor without(const Tensor& logits, const Tensor& targets, int64_t begin) {
  const Tensor at = targets.narrow(0, begin, logits.size(0)).unsqueeze(1);
  return logits.scatter(1, at, -std::numeric_limits<double>::infinity());
}

Tensor loss(Minibatch& batch) {
  const Tensor targets = batch.forget.targets();
  if (batch.knobs.at("teacher") == kReference)
    return distillation(batch.forget, [=](const Tensor& logits, int64_t begin) {
      return without(logits, targets, begin);
    });
  tensor::RowFunction cross_entropy{[=](const Tensor& logits, int64_t begin) {
    const Tensor wanted = without(logits.detach(), targets, begin).softmax(1);
    return -(wanted * logits.log_softmax(1)).sum(1);
  }};
  return batch.forget.mean_over_rows(batch.forget.from_logits(std::move(cross_entropy)));
}

const Objective kObjective{{}, loss};

}  // namespace

extern const Method method_ceu;
const Method method_ceu{
    "ceu",
    "CE-U, arXiv 2503.01224",
    {Needs::kExamples},
    training_knobs({{"teacher",
                     kReference,
                     0,
                     1,
                     "whose distribution: the model's as it was, or as it is at the step",
                     {"reference", "current"}}}),
    Reach::kAnyLayer,
    {},
    {},
    nullptr,
    &kObjective};

}  // namespace expunge::unlearn
