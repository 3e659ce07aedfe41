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
  Part& forget = batch.forget;
  const Tensor targets = forget.targets();
  const Tensor states =
      batch.knobs.at("teacher") == kReference ? forget.reference_states() : Tensor();
  const auto wanted = [=, &forget](const Tensor& logits, int64_t begin) {
    const Tensor teacher = states.defined()
                               ? forget.reference_logits(states.narrow(0, begin, logits.size(0)))
                               : logits.detach();
    return without(teacher, targets, begin).softmax(1);
  };
  tensor::RowFunction cross_entropy{
      [=](const Tensor& logits, int64_t begin) {
        return -(wanted(logits, begin) * logits.log_softmax(1)).sum(1);
      },
      [=](Tensor& logits, int64_t begin, const Tensor& dvalue) {
        logits = (logits.softmax(1) - wanted(logits, begin)) * dvalue.unsqueeze(1);
      }};
  return forget.mean_over_rows(forget.from_logits(std::move(cross_entropy)));
}

}  // namespace

extern const Method method_ceu;
const Method method_ceu{
    .name = "ceu",
    .citation = "CE-U, arXiv 2503.01224",
    .knobs = training_knobs({{"teacher",
                              kReference,
                              0,
                              1,
                              "whose distribution: the model's as it was, or as it is at the step",
                              {"reference", "current"}}}),
    .how = Objective{.loss = loss},
};

}  // namespace expunge::unlearn
