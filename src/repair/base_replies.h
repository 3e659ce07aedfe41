// The base model's replies to the unrelated questions and to plain text, made from the surgeon's
// wordings and cached on disk.
#pragma once

#include "agent/wordings.h"
#include "model/chat_model.h"
#include "verify/base_replies.h"

namespace expunge::repair {

// From the cache folder if a file for (model file, layer, wordings, chat template) lies there, else
// asked of the model as it is now and stored.
base::Result<verify::BaseReplies> load_base_replies(const model::ChatModel& chat_model,
                                                    const agent::Wordings& wordings, int64_t layer,
                                                    const base::Job& job = {});

}  // namespace expunge::repair
