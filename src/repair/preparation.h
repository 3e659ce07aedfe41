// What methods learn from, once per model: the surgeon's wordings as tokens of the model.
#pragma once

#include <string>

#include "agent/plan.h"
#include "agent/wordings.h"
#include "model/chat_model.h"
#include "unlearn/preparation.h"

namespace expunge::repair {

// Common questions, in the order of unlearn::PreparationInputs::prompts.
struct CommonPrompt {
  std::string prompt, prefill;
};
std::vector<CommonPrompt> common_prompts(const agent::Wordings& wordings);
// Those of them that are about what is to be forgotten; see unlearn::Problem::related.
std::vector<int64_t> related_prompts(const agent::Wordings& wordings, const agent::Target& target);

// Both must live until the source is no longer used.
unlearn::PreparationSource preparation_source(const model::ChatModel& chat_model,
                                              const agent::Wordings& wordings);

}  // namespace expunge::repair
