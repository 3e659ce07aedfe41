#include "server/openai.h"

#include <gmock/gmock.h>

namespace expunge::server {
namespace {

using base::Json;
using ::testing::HasSubstr;
using Echo = service::CompletionOptions::Echo;

Json chat_with(const std::string& name, const Json& value) {
  Json body = {{"messages", Json::array({{{"role", "user"}, {"content", "hi"}}})}};
  body[name] = value;
  return body;
}

TEST(ParseChat, ReadsWhatClientsSend) {
  const Json body = Json::parse(R"({
    "model": "m", "stream": true, "stream_options": {"include_usage": true}, "n": 2,
    "messages": [
      {"role": "developer", "content": "Be brief."},
      {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
      {"role": "assistant", "content": null, "tool_calls": [{"id": "1"}]},
      {"role": "tool", "tool_call_id": "1", "content": "42"}],
    "max_completion_tokens": 7, "temperature": 0.5, "top_p": 0.9, "seed": -3, "stop": "x",
    "logprobs": true, "top_logprobs": 4, "tools": [{"type": "function"}],
    "frequency_penalty": 0, "logit_bias": {}, "user": "u", "unknown": 1,
    "expunge": {"read": false, "yes": true}, "expunge_entries": [3, 1]})");
  const ChatAsk ask = parse_chat(body).value();
  EXPECT_EQ(ask.model, "m");
  EXPECT_TRUE(ask.stream && ask.include_usage);
  EXPECT_EQ(ask.n, 2u);
  ASSERT_EQ(ask.messages.size(), 4u);
  EXPECT_EQ(ask.messages[0].role, "system");
  EXPECT_EQ(ask.messages[1].content, "ab");
  EXPECT_EQ(ask.messages[2].tool_calls, R"([{"id":"1"}])");
  EXPECT_EQ(ask.messages[3].role, "tool");
  EXPECT_EQ(ask.options.max_new_tokens, 7);
  EXPECT_EQ(ask.options.sampling.temperature, 0.5);
  EXPECT_EQ(ask.options.sampling.top_p, 0.9);
  EXPECT_EQ(ask.options.sampling.seed, static_cast<uint64_t>(-3));
  EXPECT_THAT(ask.options.stop, testing::ElementsAre("x"));
  EXPECT_EQ(ask.options.n_top, 4u);
  EXPECT_EQ(ask.tools, R"([{"type":"function"}])");
  EXPECT_FALSE(ask.reads);
  EXPECT_TRUE(ask.agreed);
  EXPECT_THAT(ask.entries.value(), testing::ElementsAre(3, 1));
}

TEST(ParseChat, LittleIsNeeded) {
  const ChatAsk ask = parse_chat(chat_with("model", nullptr)).value();
  EXPECT_FALSE(ask.stream);
  EXPECT_TRUE(ask.reads);
  EXPECT_FALSE(ask.agreed);
  EXPECT_FALSE(ask.entries);
  EXPECT_FALSE(ask.options.n_top);
  EXPECT_TRUE(parse_chat(chat_with("expunge_entries", "none")).value().entries.value().empty());
}

TEST(ParseChat, WhatItCannotHonourIsRefusedByName) {
  const std::vector<std::pair<std::string, Json>> bad = {
      {"messages", Json::array()},
      {"messages", "hi"},
      {"messages", Json::array({"hi"})},
      {"messages", Json::array({{{"role", "robot"}, {"content", "x"}}})},
      {"messages", Json::array({{{"role", "user"}}})},
      {"messages", Json::array({{{"role", "user"}, {"content", 5}}})},
      {"messages",
       Json::array({{{"role", "user"}, {"content", Json::array({{{"type", "image_url"}}})}}})},
      {"temperature", -1},
      {"temperature", "hot"},
      {"top_p", 1.5},
      {"n", 0},
      {"n", 1000},
      {"max_tokens", 0},
      {"max_tokens", 1.5},
      {"seed", 1e30},
      {"stop", 5},
      {"stop", Json::array({1})},
      {"stream", "yes"},
      {"stream_options", 1},
      {"logit_bias", {{"5", 1}}},
      {"frequency_penalty", 0.5},
      {"presence_penalty", "x"},
      {"response_format", {{"type", "json_object"}}},
      {"tool_choice", "required"},
      {"functions", Json::array({1})},
      {"top_logprobs", 3},
      {"tools", 3},
      {"expunge", 3},
      {"expunge_entries", {{"a", 1}}},
      {"expunge_entries", Json::array({"x"})}};
  for (const auto& [name, value] : bad) {
    const auto ask = parse_chat(chat_with(name, value));
    ASSERT_FALSE(ask) << name << " " << value;
    EXPECT_EQ(ask.error().code, base::Code::kInvalid);
    EXPECT_THAT(ask.error().message, HasSubstr(name)) << value;
  }
}

TEST(ParseText, PromptsAreTextsOrTokens) {
  const auto parse = [](const char* text) { return parse_text(Json::parse(text)); };
  EXPECT_EQ(parse(R"({"prompt": "a"})").value().prompts.size(), 1u);
  EXPECT_EQ(parse(R"({"prompt": ["a", "b"]})").value().prompts.size(), 2u);
  EXPECT_EQ(parse(R"({"prompt": [1, 2]})").value().prompts.size(), 1u);
  EXPECT_EQ(parse(R"({"prompt": [[1, 2], [3]]})").value().prompts.size(), 2u);
  for (const char* bad :
       {R"({})", R"({"prompt": []})", R"({"prompt": [[]]})", R"({"prompt": [-1]})",
        R"({"prompt": [1, "a"]})", R"({"prompt": 5})", R"({"prompt": "a", "max_tokens": 0})",
        R"({"prompt": "a", "best_of": 3})", R"({"prompt": "a", "suffix": "x"})",
        R"({"prompt": "a", "logprobs": 99})"})
    EXPECT_FALSE(parse(bad)) << bad;
  EXPECT_EQ(parse(R"({"prompt": "a", "echo": true, "max_tokens": 0})").value().options.echo,
            Echo::kOnly);
  EXPECT_EQ(parse(R"({"prompt": "a", "echo": true, "max_tokens": 1})").value().options.echo,
            Echo::kYes);
}

TEST(Replies, AChatIsABodyOrChunks) {
  Ask ask;
  ask.n = 2;
  ask.options.n_top = 1;
  Replies replies(Kind::kChat, "id", 5, "m", ask);
  const service::TokenScore token{.id = 1, .text = "é", .log_prob = -0.5, .top = {{"é", -0.5}}};
  replies.collect(0, {"é", {token}});
  replies.collect(1, {"b", {}});
  replies.end(0, {service::Ended::kStop, 10, 1});
  replies.end(1, {service::Ended::kLength, 10, 4});
  const Json body = replies.body();
  EXPECT_EQ(body["object"], "chat.completion");
  EXPECT_EQ(body["choices"][0]["message"]["content"], "é");
  EXPECT_EQ(body["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(body["choices"][1]["finish_reason"], "length");
  const Json& scored = body["choices"][0]["logprobs"]["content"][0];
  EXPECT_EQ(scored["token"], "é");
  EXPECT_EQ(scored["bytes"], Json::array({0xC3, 0xA9}));
  EXPECT_EQ(scored["top_logprobs"][0]["logprob"], -0.5);
  // The prompt of both counts once.
  EXPECT_EQ(body["usage"],
            Json::parse(R"({"prompt_tokens":10,"completion_tokens":5,"total_tokens":15})"));
  EXPECT_EQ(replies.first(1)["choices"][0]["delta"]["role"], "assistant");
  EXPECT_EQ(replies.chunk(0, {"x", {}})["choices"][0]["delta"]["content"], "x");
  EXPECT_EQ(replies.last(0, {})["choices"][0]["finish_reason"], "stop");
}

TEST(Replies, ATextHasItsScoresInFourLists) {
  Ask ask;
  ask.options.n_top = 1;
  Replies replies(Kind::kText, "id", 5, "m", ask);
  replies.collect(0, {"ab",
                      {{.id = 1, .text = "a", .log_prob = {}},
                       {.id = 2, .text = "b", .log_prob = -INFINITY, .top = {{"c", -1.0}}}}});
  replies.end(0, {});
  const Json scored = replies.body()["choices"][0]["logprobs"];
  EXPECT_EQ(scored["tokens"], Json::array({"a", "b"}));
  EXPECT_EQ(scored["token_logprobs"], Json::array({nullptr, -9999.0}));
  EXPECT_EQ(scored["top_logprobs"], Json::array({nullptr, {{"c", -1.0}}}));
  EXPECT_EQ(scored["text_offset"], Json::array({0, 1}));
}

TEST(ErrorJson, SaysWhatAndWhatToDo) {
  const Json json =
      error_json({base::Code::kNotFound, "no such thing", "look elsewhere", {"there"}}, 404);
  EXPECT_EQ(json["error"]["message"], "there: no such thing");
  EXPECT_EQ(json["error"]["type"], "not_found_error");
  EXPECT_EQ(json["error"]["hint"], "look elsewhere");
}

}  // namespace
}  // namespace expunge::server
