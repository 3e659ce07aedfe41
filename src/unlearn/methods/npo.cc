// Negative preference optimisation (arXiv 2404.05868, eq. 3):
//   −(2/β) log σ(−β (log π(y) − log ref(y))), the sums over an answer's tokens.
// β to 0 is gradient ascent.
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

Tensor loss(Minibatch& batch) {
  const double beta = batch.knobs.at("beta");
  Part& forget = batch.forget;
  const Tensor ratio = forget.example_sums(forget.log_probs() - forget.reference_log_probs());
  return forget.mean_over_examples(at::log_sigmoid(-beta * ratio)) * (-2 / beta) +
         retain_term(batch);
}

}  // namespace

extern const Method method_npo;
const Method method_npo{
    .name = "npo",
    .citation = "NPO, arXiv 2404.05868, eq. 3",
    .knobs = training_knobs(
        with_retain_knobs({{"beta", 0.1, 1e-6, 100, "inverse temperature of the preference"}})),
    .how = Objective{.uses = {Uses::kRetain}, .loss = loss},
};

}  // namespace expunge::unlearn
