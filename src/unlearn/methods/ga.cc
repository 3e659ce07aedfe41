// Gradient ascent (Jang et al. 2023, eq. 2): the cross-entropy of the forget answers, negated.
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

Tensor loss(Minibatch& batch) { return -cross_entropy(batch.forget); }

}  // namespace

extern const Method method_ga;
const Method method_ga{
    .name = "ga",
    .citation = "Jang et al. 2023, eq. 2: gradient ascent",
    .knobs = training_knobs({}),
    .how = Objective{.loss = loss},
};

}  // namespace expunge::unlearn
