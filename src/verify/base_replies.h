// The unedited model's replies to questions that no request is about, with their states:
// asked once, stored as a file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/generate.h"
#include "verify/gate.h"

namespace expunge::verify {

struct BaseReplies {
  std::vector<Question> unrelated;  // without prefill and answers; with reply and states
  std::vector<Text> texts;          // with states
};

// Greedy replies to the prompts, given as text and as tokens, and states entering `layer`.
base::Result<BaseReplies> learn_base_replies(const model::Model& model,
                                             const std::vector<std::string>& prompts,
                                             const std::vector<std::vector<int32_t>>& prompt_ids,
                                             const std::vector<std::vector<int32_t>>& texts,
                                             int64_t layer, const base::Job& job = {});

// A safetensors image. Errors when read: kCorrupt.
std::string serialise(const BaseReplies& replies);
base::Result<BaseReplies> deserialise_base_replies(std::string_view bytes);

// The model's reply, its end-of-turn token included.
std::vector<int32_t> reply_ids(const model::Generation& generation);

}  // namespace expunge::verify
