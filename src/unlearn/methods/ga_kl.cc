// Gradient ascent with a KL term (TOFU, arXiv 2401.06121, eq. 3): the rest stays near the
// reference.
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

Tensor loss(Minibatch& batch) {
  const Tensor kl =
      distillation(batch.retain, [](const Tensor& logits, int64_t) { return logits; });
  return kl * batch.knobs.at("retain_weight") - cross_entropy(batch.forget);
}

const Objective kObjective{{Uses::kRetain}, loss};

}  // namespace

extern const Method method_ga_kl;
const Method method_ga_kl{
    "ga_kl",
    "TOFU, arXiv 2401.06121, section 3: KL minimisation",
    {Needs::kExamples, Needs::kRetainExamples},
    training_knobs({{"retain_weight", 1, 0, 1000, "of the KL term beside the forget term"}}),
    Reach::kAnyLayer,
    {},
    {},
    nullptr,
    &kObjective};

}  // namespace expunge::unlearn
