// What takes an answer's place: the replacement of a correction, and refusals to steer towards.
#pragma once

#include "agent/plan.h"
#include "model/chat_model.h"
#include "unlearn/background.h"

namespace expunge::repair {

// A shift that makes the model give the target's replacement in its own sentence, learned for this
// request alone (a correction).
base::Result<tensor::Tensor> learn_replacement(const model::ChatModel& patient,
                                               const agent::Target& target,
                                               const unlearn::Background& background, uint64_t seed,
                                               const base::Progress& progress);

// Reference rows for methods that steer towards "I don't know": the end of such replies.
base::Result<std::vector<unlearn::Row>> refusal_rows(const model::ChatModel& patient);

}  // namespace expunge::repair
