// ASU: self-distillation to the reference with smoothed attention (its logits divided by a
// temperature), which no longer finds facts but keeps the language.
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

Tensor loss(Minibatch& batch) {
  const ReferenceOptions smoothed{batch.knobs.at("temperature")};
  return distillation(
             batch.forget, [](const Tensor& logits, int64_t) { return logits; }, smoothed) +
         retain_term(batch);
}

}  // namespace

extern const Method method_asu;
const Method method_asu{
    .name = "asu",
    .citation = "ASU: attention-smoothed self-distillation",
    .knobs = training_knobs(
        with_retain_knobs({{"temperature", 2.5, 1, 100, "of the teacher's attention"}})),
    .how = Objective{.uses = {Uses::kRetain}, .loss = loss},
};

}  // namespace expunge::unlearn
