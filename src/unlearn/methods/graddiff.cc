// Gradient difference (Liu et al. 2022): ascent on what is to be forgotten, descent on the rest.
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

Tensor loss(Minibatch& batch) { return retain_term(batch) - cross_entropy(batch.forget); }

const Objective kObjective{{Uses::kRetain}, loss};

}  // namespace

extern const Method method_graddiff;
const Method method_graddiff{
    "graddiff",
    "Liu et al. 2022 (Continual learning and private unlearning): gradient difference",
    {Needs::kExamples, Needs::kRetainExamples},
    training_knobs(with_retain_knobs({})),
    Reach::kAnyLayer,
    {},
    {},
    nullptr,
    &kObjective};

}  // namespace expunge::unlearn
