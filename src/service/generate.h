// Plain replies by the model as it is, of one prompt or of many at once.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/job.h"
#include "model/chat_model.h"
#include "model/generate.h"

namespace expunge::service {

struct Prompt {
  std::string text, system;  // system "" = the chat template's own default
};
enum class Prompting { kChat, kRaw };  // raw: the text as it is, without the chat template

struct Reply {
  std::string text;
  std::vector<int32_t> ids;
  model::Stop stop = model::Stop::kLength;
  size_t prompt_tokens = 0;
};
// The text of prompt `index` as it comes, whole characters at a time. May be empty.
using OnText = std::function<void(size_t index, std::string_view piece)>;

base::Result<std::vector<int32_t>> encode(const model::ChatModel& chat_model, const Prompt& prompt,
                                          Prompting prompting);
// One reply per prompt. The job's reports count tokens if no callback takes the text.
base::Result<std::vector<Reply>> generate(const model::ChatModel& chat_model,
                                          std::span<const Prompt> prompts, Prompting prompting,
                                          const model::GenerateOptions& options,
                                          const OnText& on_text, const base::Job& job);

}  // namespace expunge::service
