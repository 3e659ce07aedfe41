// What takes an answer's place: the replacement of a correction, and refusals to steer towards.
#pragma once

#include "agent/plan.h"
#include "agent/wordings.h"
#include "model/chat_model.h"
#include "unlearn/preparation.h"

namespace expunge::repair {

// For a correction: the target's questions, answered by its replacement.
base::Result<std::vector<unlearn::Lesson>> replacement_lessons(const model::ChatModel& chat_model,
                                                               const agent::Target& target);

// Reference rows for methods that steer towards "I don't know": the end of such replies.
base::Result<std::vector<unlearn::TokenSpan>> refusal_rows(const model::ChatModel& chat_model,
                                                           const agent::Wordings& wordings);

}  // namespace expunge::repair
