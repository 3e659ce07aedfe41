// Small readings of answers: where one lies in a reply, and what takes its place.
#pragma once

#include <string>

#include "agent/plan.h"
#include "model/patient.h"
#include "unlearn/background.h"

namespace expunge::repair {

// The words of a reply's first sentence that carry the answer: the last run of capitalised words or
// numbers that the question does not contain, else the last words that are new; may be empty.
std::string answer_span(const std::string& question, const std::string& reply);

// A shift that makes the model give the target's replacement in its own sentence, learned for this
// request alone (a correction).
base::Result<tensor::Tensor> learn_replacement(const model::Patient& patient,
                                               const agent::Target& target,
                                               const unlearn::Background& background, uint64_t seed,
                                               const base::Progress& progress);

// Reference rows for methods that steer towards "I don't know": the end of such replies.
base::Result<std::vector<unlearn::Row>> refusal_rows(const model::Patient& patient);

}  // namespace expunge::repair
