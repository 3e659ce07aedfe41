// Inverted hinge loss (LoKU, arXiv 2408.06621, eq. 5): 1 + p(y) − max over v ≠ y of p(v), a number
// in 0 .. 2 a token. Bounded, and only the runner-up rises.
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

Tensor loss(Minibatch& batch) { return inverted_hinge(batch.forget) + retain_term(batch); }

const Objective kObjective{{Uses::kRetain}, loss};

}  // namespace

extern const Method method_ihl;
const Method method_ihl{"ihl",
                        "LoKU, arXiv 2408.06621, eq. 5: inverted hinge loss",
                        {Needs::kExamples, Needs::kRetainExamples},
                        training_knobs(with_retain_knobs({})),
                        Reach::kAnyLayer,
                        {},
                        {},
                        nullptr,
                        &kObjective};

}  // namespace expunge::unlearn
