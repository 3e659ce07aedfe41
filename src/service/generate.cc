#include "service/generate.h"

namespace expunge::service {

using base::Result;

Result<std::vector<int32_t>> encode(const model::ChatModel& chat_model, const Prompt& prompt,
                                    Prompting prompting) {
  if (prompting == Prompting::kRaw) return chat_model.encode_text(prompt.text);
  std::vector<text::Message> messages;
  if (!prompt.system.empty()) messages.push_back({"system", prompt.system});
  messages.push_back({"user", prompt.text});
  return chat_model.encode(messages);
}

Result<std::vector<Reply>> generate(const model::ChatModel& chat_model,
                                    std::span<const Prompt> prompts, Prompting prompting,
                                    const model::GenerateOptions& options, const OnText& on_text,
                                    const base::Job& job) {
  std::vector<std::vector<int32_t>> ids;
  std::vector<text::StreamDecoder> decoders;
  for (const Prompt& p : prompts) {
    ids.push_back(TRY(encode(chat_model, p, prompting)));
    decoders.emplace_back(chat_model.tokenizer);
  }
  size_t tokens = 0;
  const model::Model model =
      prompting == Prompting::kRaw ? chat_model.model.writing_text() : chat_model.model;
  const auto generations = TRY(
      model::generate(model, ids, options, job, [&](size_t index, std::span<const int32_t> so_far) {
        if (!on_text)
          job.report(fmt::format("{} tokens generated", ++tokens));
        else if (const auto piece = decoders[index].push(so_far.back()))
          on_text(index, *piece);
        return model::Next::kGoOn;
      }));
  std::vector<Reply> replies;
  for (size_t i = 0; i < generations.size(); ++i) {
    if (on_text)
      if (const auto rest = decoders[i].finish()) on_text(i, *rest);
    replies.push_back({TRY(chat_model.tokenizer.decode(generations[i].ids)), generations[i].ids,
                       generations[i].stop, ids[i].size()});
  }
  return replies;
}

}  // namespace expunge::service
