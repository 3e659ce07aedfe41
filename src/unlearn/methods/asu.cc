// ASU: self-distillation to the reference with smoothed attention (its logits divided by a
// temperature), in which facts are not found any more while the language stays.
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

Tensor loss(Minibatch& batch) {
  const ReferenceOptions smoothed{batch.knobs.at("temperature")};
  return distillation(
             batch.forget, [](const Tensor& logits, int64_t) { return logits; }, smoothed) +
         retain_term(batch);
}

const Objective kObjective{{Uses::kRetain}, loss};

}  // namespace

extern const Method method_asu;
const Method method_asu{
    "asu",
    "ASU: attention-smoothed self-distillation",
    {Needs::kExamples, Needs::kRetainExamples},
    training_knobs(with_retain_knobs({{"temperature", 2.5, 1, 100, "of the teacher's attention"}})),
    Reach::kAnyLayer,
    {},
    {},
    nullptr,
    &kObjective};

}  // namespace expunge::unlearn
