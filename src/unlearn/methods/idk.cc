// "I don't know" tuning (TOFU, arXiv 2401.06121): the forget questions learn a refusal.
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

Tensor loss(Minibatch& batch) { return cross_entropy(batch.refusal) + retain_term(batch); }

const Objective kObjective{{Uses::kRetain, Uses::kRefusal}, loss};

}  // namespace

extern const Method method_idk;
const Method method_idk{"idk",
                        "TOFU, arXiv 2401.06121, section 3: preference-style refusal (IDK)",
                        {Needs::kExamples, Needs::kRetainExamples, Needs::kRefusalExamples},
                        training_knobs(with_retain_knobs({})),
                        Reach::kAnyLayer,
                        {},
                        {},
                        nullptr,
                        &kObjective};

}  // namespace expunge::unlearn
