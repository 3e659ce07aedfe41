// "I don't know" tuning (TOFU, arXiv 2401.06121): the forget questions learn a refusal.
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

Tensor loss(Minibatch& batch) { return cross_entropy(batch.refusal) + retain_term(batch); }

}  // namespace

extern const Method method_idk;
const Method method_idk{
    .name = "idk",
    .citation = "TOFU, arXiv 2401.06121, section 3: preference-style refusal (IDK)",
    .knobs = training_knobs(with_retain_knobs({})),
    .how = Objective{.uses = {Uses::kRetain, Uses::kRefusal}, .loss = loss},
};

}  // namespace expunge::unlearn
