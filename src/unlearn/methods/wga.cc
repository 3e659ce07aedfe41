// Weighted gradient ascent (arXiv 2502.19301): each token's ascent is weighted by p^α, so that
// tokens that are forgotten already are left alone. The weight is a constant of the step.
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

Tensor loss(Minibatch& batch) {
  const Tensor log_p = batch.forget.log_probs();  // [rows]
  const Tensor weight = (log_p.detach() * batch.knobs.at("alpha_weight")).exp();
  return batch.forget.mean_over_rows(weight * log_p) + retain_term(batch);
}

}  // namespace

extern const Method method_wga;
const Method method_wga{
    .name = "wga",
    .citation = "WGA, arXiv 2502.19301: weighted gradient ascent",
    .knobs = training_knobs(
        with_retain_knobs({{"alpha_weight", 1, 0, 100, "power of the token's probability"}})),
    .how = Objective{.uses = {Uses::kRetain}, .loss = loss},
};

}  // namespace expunge::unlearn
