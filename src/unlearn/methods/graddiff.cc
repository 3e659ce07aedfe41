// Gradient difference (Liu et al. 2022): ascent on what is to be forgotten, descent on the rest.
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

Tensor loss(Minibatch& batch) { return retain_term(batch) - cross_entropy(batch.forget); }

}  // namespace

extern const Method method_graddiff;
const Method method_graddiff{
    .name = "graddiff",
    .citation = "Liu et al. 2022 (Continual learning and private unlearning): gradient difference",
    .knobs = training_knobs(with_retain_knobs({})),
    .how = Objective{.uses = {Uses::kRetain}, .loss = loss},
};

}  // namespace expunge::unlearn
