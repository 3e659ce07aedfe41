// UNDIAL (arXiv 2402.10052, eq. 4): self-distillation to the reference's logits with the answer's
// token lowered.
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

Tensor loss(Minibatch& batch) {
  const double strength = batch.knobs.at("strength");
  const Tensor targets = batch.forget.targets();
  return distillation(batch.forget, [=](const Tensor& logits, int64_t begin) {
    const Tensor at = targets.narrow(0, begin, logits.size(0)).unsqueeze(1);
    return logits.scatter_add(1, at, at::full_like(at, -strength, logits.options()));
  });
}

}  // namespace

extern const Method method_undial;
const Method method_undial{
    .name = "undial",
    .citation = "UNDIAL, arXiv 2402.10052, eq. 4",
    .knobs = training_knobs({{"strength", 10, 0, 1000, "what the answer's logits are lowered by"}}),
    .how = Objective{.loss = loss},
};

}  // namespace expunge::unlearn
