// SatImp (arXiv 2505.11953): ascent weighted by saturation p^β1 and importance (1 − p)^β2 of each
// token. The weights are constants of the step.
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

Tensor loss(Minibatch& batch) {
  const Tensor log_p = batch.forget.log_probs(), p = log_p.detach().exp();  // [rows]
  const Tensor weight = p.pow(batch.knobs.at("beta1")) * (1 - p).pow(batch.knobs.at("beta2"));
  return batch.forget.mean_over_rows(weight * log_p) + retain_term(batch);
}

}  // namespace

extern const Method method_satimp;
const Method method_satimp{
    .name = "satimp",
    .citation = "SatImp, arXiv 2505.11953",
    .knobs = training_knobs(with_retain_knobs({{"beta1", 5, 0, 100, "power of saturation p"},
                                               {"beta2", 1, 0, 100, "power of importance 1 - p"}})),
    .how = Objective{.uses = {Uses::kRetain}, .loss = loss},
};

}  // namespace expunge::unlearn
