#include "service/generate.h"

#include "service/json.h"
#include "service/service_test.h"

namespace expunge::service {
namespace {

class Generate : public ServiceTest {};

TEST_F(Generate, TextComesInPiecesAndWhole) {
  const model::ChatModel chat_model = model::load_chat_model(model()).value();
  model::GenerateOptions options;
  options.max_new_tokens = 10;
  const std::vector<Prompt> prompts{{"Hello", "Be brief."}, {"Good day", ""}};
  std::vector<std::string> pieces(2);
  const auto collect = [&](size_t index, std::string_view piece) { pieces[index] += piece; };
  const auto replies =
      generate(chat_model, prompts, Prompting::kChat, options, collect, base::Job()).value();
  ASSERT_EQ(replies.size(), 2);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(replies[i].text, pieces[i]);
    EXPECT_LE(replies[i].ids.size(), 10);
    const auto ids = encode(chat_model, prompts[i], Prompting::kChat).value();
    EXPECT_EQ(replies[i].prompt_tokens, ids.size());
  }
  // The same without a callback, and the job counts the tokens.
  size_t reports = 0;
  const base::Job job([&](std::string_view, size_t, size_t) { ++reports; });
  const auto again = generate(chat_model, prompts, Prompting::kChat, options, {}, job).value();
  EXPECT_EQ(again[0].ids, replies[0].ids);
  EXPECT_GE(reports, replies[0].ids.size());
  const base::Json json = to_json(again[0]);
  EXPECT_EQ(json["stop"], again[0].stop == model::Stop::kLength ? "length" : "end_of_turn");
  EXPECT_EQ(json["text"], again[0].text);
}

TEST_F(Generate, RawIsTheTextAloneAndChatItsTemplate) {
  const model::ChatModel chat_model = model::load_chat_model(model()).value();
  EXPECT_EQ(encode(chat_model, {"ab", "ignored"}, Prompting::kRaw).value(),
            chat_model.tokenizer.encode("ab").value().ids);
  EXPECT_EQ(encode(chat_model, {"ab", ""}, Prompting::kRaw)->size(), 2);
  EXPECT_GT(encode(chat_model, {"ab", ""}, Prompting::kChat)->size(), 2);
  EXPECT_GT(encode(chat_model, {"ab", "system"}, Prompting::kChat)->size(),
            encode(chat_model, {"ab", ""}, Prompting::kChat)->size());
}

}  // namespace
}  // namespace expunge::service
