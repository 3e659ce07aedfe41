// Gradient ascent (Jang et al. 2023, eq. 2): the cross-entropy of the forget answers, negated.
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

Tensor loss(Minibatch& batch) { return -cross_entropy(batch.forget); }

const Objective kObjective{{}, loss};

}  // namespace

extern const Method method_ga;
const Method method_ga{"ga",
                       "Jang et al. 2023, eq. 2: gradient ascent",
                       {Needs::kExamples},
                       training_knobs({}),
                       Reach::kAnyLayer,
                       {},
                       {},
                       nullptr,
                       &kObjective};

}  // namespace expunge::unlearn
