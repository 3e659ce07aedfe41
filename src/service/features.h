// The watchdog's hidden features: states that the served model's prefill of a dialogue computes.
#pragma once

#include "agent/watchdog.h"
#include "model/chat_model.h"

namespace expunge::service {

// Residual stream after block 3/5 L, at the last token of the user's message and at the prompt's
// last token: [2 D]. Both choices by cross-validation on data/watchdog/dev.jsonl (SmolLM2-135M).
agent::Features watchdog_features(const model::ChatModel& chat_model);

}  // namespace expunge::service
