// A model's background for redirect: built from the surgeon's wordings, cached on disk.
#pragma once

#include <string>

#include "agent/wordings.h"
#include "base/run.h"
#include "model/chat_model.h"
#include "unlearn/background.h"

namespace expunge::repair {

// What the model says instead.
inline constexpr const char* kRefusal = "I'm sorry, but I don't know the answer to that.";

// The pool's prompts in the order of Background::pool's rows.
struct PoolPrompt {
  std::string prompt, prefill;
};
std::vector<PoolPrompt> pool_prompts(const agent::Wordings& wordings);

// From the cache folder if a file for (model file, layer, wordings, version) lies there, else
// learned and stored. layer < 0: unlearn::default_layer.
base::Result<unlearn::Background> load_background(const model::ChatModel& patient, int64_t layer,
                                                  const base::Progress& progress);

}  // namespace expunge::repair
