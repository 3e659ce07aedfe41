// SimNPO (arXiv 2410.07163, eq. 6): NPO without a reference, normalised by length:
//   −(2/β) log σ(−(β/|y|) log π(y) − γ)
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

Tensor loss(Minibatch& batch) {
  const double beta = batch.knobs.at("beta"), gamma = batch.knobs.at("gamma");
  Part& forget = batch.forget;
  const Tensor mean = forget.example_sums(forget.log_probs()) / forget.lengths();  // [n]
  return forget.mean_over_examples(at::log_sigmoid(-beta * mean - gamma)) * (-2 / beta) +
         retain_term(batch);
}

}  // namespace

extern const Method method_simnpo;
const Method method_simnpo{
    .name = "simnpo",
    .citation = "SimNPO, arXiv 2410.07163, eq. 6",
    .knobs = training_knobs(
        with_retain_knobs({{"beta", 4.5, 1e-6, 100, "inverse temperature of the preference"},
                           {"gamma", 0, -100, 100, "margin, nats"}})),
    .how = Objective{.uses = {Uses::kRetain}, .loss = loss},
};

}  // namespace expunge::unlearn
