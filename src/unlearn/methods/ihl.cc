// Inverted hinge loss (LoKU, arXiv 2408.06621, eq. 5): 1 + p(y) − max over v ≠ y of p(v), a number
// in 0 .. 2 a token. Bounded, and only the runner-up rises.
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

Tensor loss(Minibatch& batch) { return inverted_hinge(batch.forget) + retain_term(batch); }

}  // namespace

extern const Method method_ihl;
const Method method_ihl{
    .name = "ihl",
    .citation = "LoKU, arXiv 2408.06621, eq. 5: inverted hinge loss",
    .knobs = training_knobs(with_retain_knobs({})),
    .how = Objective{.uses = {Uses::kRetain}, .loss = loss},
};

}  // namespace expunge::unlearn
