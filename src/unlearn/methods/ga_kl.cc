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

}  // namespace

extern const Method method_ga_kl;
const Method method_ga_kl{
    .name = "ga_kl",
    .citation = "TOFU, arXiv 2401.06121, section 3: KL minimisation",
    .knobs =
        training_knobs({{"retain_weight", 1, 0, 1000, "of the KL term beside the forget term"}}),
    .how = Objective{.uses = {Uses::kRetain}, .loss = loss},
};

}  // namespace expunge::unlearn
