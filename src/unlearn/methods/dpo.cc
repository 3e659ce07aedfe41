// Preference optimisation (Rafailov et al. 2023, eq. 7) of a refusal over the answer to forget:
//   −(2/β) log σ(β (log π/ref(refusal) − log π/ref(answer)))
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

Tensor log_ratio(Part& part) {  // log π/ref of each answer [n]
  return part.example_sums(part.log_probs() - part.reference_log_probs());
}

Tensor loss(Minibatch& batch) {
  const double beta = batch.knobs.at("beta");
  const Tensor margin = beta * (log_ratio(batch.refusal) - log_ratio(batch.forget));  // [n]
  return batch.forget.mean_over_examples(at::log_sigmoid(margin)) * (-2 / beta) +
         retain_term(batch);
}

}  // namespace

extern const Method method_dpo;
const Method method_dpo{
    .name = "dpo",
    .citation = "TOFU, arXiv 2401.06121, section 3; DPO, arXiv 2305.18290, eq. 7",
    .knobs = training_knobs(
        with_retain_knobs({{"beta", 0.1, 1e-6, 100, "inverse temperature of the preference"}})),
    .how = Objective{.uses = {Uses::kRetain, Uses::kRefusal}, .loss = loss},
};

}  // namespace expunge::unlearn
