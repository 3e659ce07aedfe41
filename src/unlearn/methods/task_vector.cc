// Task arithmetic (Ilharco et al. 2023, arXiv 2212.04089, eq. 1): the model is trained on what is
// to be forgotten, and the change is subtracted: θ − s (θ_overfit − θ).
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

Tensor loss(Minibatch& batch) { return cross_entropy(batch.forget); }

edit::Edit negate(edit::Edit learnt, const Knobs& knobs) {
  return edit::scaled(learnt, -knobs.at("strength"));
}

}  // namespace

extern const Method method_task_vector;
const Method method_task_vector{
    .name = "task_vector",
    .citation = "Ilharco et al. 2023, arXiv 2212.04089, eq. 1: negated task vector",
    .knobs = training_knobs({{"strength", 1, 0, 100, "multiple of the change that is taken away"}}),
    .how = Objective{.loss = loss, .finish = negate},
};

}  // namespace expunge::unlearn
