// FLAT (arXiv 2410.11143, eq. 9): an f-divergence between a refusal and the answer to forget,
// without a retain set: −g*(P(refusal)) + f*(g*(P(answer))), P the mean token probability of an
// answer.
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

constexpr double kTotalVariation = 0, kKl = 1;  // knob divergence; 2: Pearson

Tensor mean_probability(Part& part) {  // [n]
  return part.example_sums(part.log_probs().exp()) / part.lengths();
}

// g*, and f* of it, for each divergence (Nowozin et al. 2016, tables 1 and 2).
Tensor activation(const Tensor& v, double divergence) {
  return divergence == kTotalVariation ? at::tanh(v) / 2 : v;
}
Tensor conjugate(const Tensor& u, double divergence) {
  return divergence == kTotalVariation ? u : divergence == kKl ? (u - 1).exp() : u * u / 4 + u;
}

Tensor loss(Minibatch& batch) {
  const double divergence = batch.knobs.at("divergence");
  const Tensor good = activation(mean_probability(batch.refusal), divergence),
               bad = activation(mean_probability(batch.forget), divergence);
  return batch.forget.mean_over_examples(conjugate(bad, divergence) - good);
}

}  // namespace

extern const Method method_flat;
const Method method_flat{
    .name = "flat",
    .citation = "FLAT, arXiv 2410.11143, eq. 9",
    .knobs = training_knobs(
        {{"divergence", kKl, 0, 2, "between refusal and answer", {"tv", "kl", "pearson"}}}),
    .how = Objective{.uses = {Uses::kRefusal}, .loss = loss},
};

}  // namespace expunge::unlearn
