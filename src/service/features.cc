#include "service/features.h"

#include "model/forward.h"
#include "model/generate.h"

namespace expunge::service {
namespace {

constexpr size_t kMaxTokens = 1024;  // of the dialogue's end; older turns are dropped first

// Drops the oldest pairs of turns until the dialogue fits.
base::Result<text::EncodedChat> encode_end(const model::ChatModel& chat_model,
                                           std::span<const text::Message> dialogue) {
  while (true) {
    auto chat = TRY(text::encode_chat(chat_model.tokenizer, chat_model.chat, dialogue,
                                      text::AddGenerationPrompt::kYes));
    if (chat.tokens.ids.size() <= kMaxTokens || dialogue.size() < 3) return chat;
    dialogue = dialogue.subspan(2);
  }
}

}  // namespace

agent::Features watchdog_features(const model::ChatModel& chat_model) {
  return [chat_model](std::span<const text::Message> dialogue) -> base::Result<std::vector<float>> {
    const auto chat = TRY(encode_end(chat_model, dialogue));
    const auto& ids = chat.tokens.ids;
    TRY(model::check_prompt(chat_model.model.arch(), ids));
    int64_t said = static_cast<int64_t>(ids.size()) - 1;
    if (!chat.contents.empty())
      if (const auto tokens = chat.tokens_in(chat.contents.back()); !tokens.empty())
        said = tokens.back();
    const int64_t layer = chat_model.model.arch().n_layers * 3 / 5;
    return tensor::guarded([&]() -> base::Result<std::vector<float>> {
      model::Runner runner(chat_model.model);
      model::Sequence sequence;
      const model::Chunk chunk{&sequence, ids};
      const tensor::Tensor x = runner.forward({&chunk, 1}, {}, layer);  // [T,D]
      std::vector<float> features;
      for (const int64_t row : {static_cast<int64_t>(ids.size()) - 1, said}) {
        const tensor::Tensor one = x.select(0, row).to(at::kFloat).contiguous();
        features.insert(features.end(), one.data_ptr<float>(), one.data_ptr<float>() + one.numel());
      }
      return features;
    });
  };
}

}  // namespace expunge::service
