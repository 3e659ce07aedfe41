// Primal-dual unlearning (arXiv 2506.05314): the margins of the forget answers' logits are
// flattened under the constraint that the retain cross-entropy stays below `bound`; the multiplier
// follows the constraint's violation: λ ← max(0, λ + step (CE_r − bound)).
#include <algorithm>

#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

// How far a row's largest logit stands out, squared; 0 is a uniform distribution.
Tensor margin(const Tensor& logits, int64_t) {
  return (std::get<0>(logits.max(1)) - logits.mean(1)).square();
}

Tensor loss(Minibatch& batch) {
  // State: the multiplier, and the retain cross-entropy of the step's pieces so far.
  if (batch.state.empty()) batch.state = {batch.knobs.at("multiplier"), 0};
  const double lambda = batch.state[0];
  const Tensor kept = cross_entropy(batch.retain);
  batch.state[1] += kept.item<double>();
  if (batch.is_last_piece) {
    batch.state[0] = std::max(
        0.0, lambda + batch.knobs.at("dual_step") * (batch.state[1] - batch.knobs.at("bound")));
    batch.state[1] = 0;
  }
  Part& forget = batch.forget;
  return forget.mean_over_rows(forget.from_logits({margin})) + kept * lambda;
}

}  // namespace

extern const Method method_pdu;
const Method method_pdu{
    .name = "pdu",
    .citation = "PDU, arXiv 2506.05314: primal-dual with a retain constraint",
    .knobs = training_knobs({{"bound", 0.3, 0, 100, "retain cross-entropy allowed, nats a token"},
                             {"multiplier", 1, 0, 1e6, "of the constraint at first"},
                             {"dual_step", 1, 0, 1e6, "of the multiplier"}}),
    .how = Objective{.uses = {Uses::kRetain}, .loss = loss, .in_order = true},
};

}  // namespace expunge::unlearn
