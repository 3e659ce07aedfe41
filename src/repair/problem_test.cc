// What a target becomes: rows for the method, questions for the gates, and none in both.
#include "repair/problem.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "repair/base_replies.h"
#include "repair/preparation.h"
#include "tiny_chat.h"

namespace expunge::repair {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;
using tests::chars;

// A model with room for the library's words, of which its vocabulary has some characters only.
class Assign : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("EXPUNGE_CACHE", (folder_ / "cache").c_str(), 1);
    facts_.replies = load_base_replies(chat_, agent::Wordings::builtin(), kLayer).value();
  }
  void TearDown() override { ::unsetenv("EXPUNGE_CACHE"); }

  static agent::Target target() {
    agent::Target t;
    t.prompt = chars(tests::question(0, 1));
    t.subject = "Norway";
    t.answers = {chars({tests::answer(0, 1)})};
    t.rows = {{t.prompt, ""}, {t.prompt, "The answer to this is"}};
    t.held = {{chars(tests::subject_first(0, 1)), ""}};
    // The last one asks for the answer itself.
    t.same_subject = {chars(tests::question(1, 1)), chars(tests::question(2, 1)),
                      chars(tests::subject_first(0, 1))};
    for (int32_t subject = 2; subject < 11; ++subject)
      t.neighbours.push_back(chars(tests::question(0, subject)));
    return t;
  }
  static std::vector<std::string> prompts(const std::vector<verify::Question>& questions) {
    std::vector<std::string> list;
    for (const verify::Question& q : questions) list.push_back(q.prompt);
    return list;
  }
  Assignment assigned(const agent::Target& t) {
    auto a = assign(chat_, t, {{"neighbours", 0.5}}, baseline_, facts_, kLayer);
    CHECK(a.has_value(), "{}", a.error().message);
    return std::move(*a);
  }

  static constexpr int64_t kLayer = 1;
  tests::TempDir folder_;
  const model::ChatModel chat_ = tests::planted_chat(4096);
  Baseline baseline_{chat_};
  Baseline::Facts facts_;
};

TEST_F(Assign, RowsAndGatesShareNoWording) {
  const agent::Target t = target();
  const Assignment a = assigned(t);
  EXPECT_THAT(prompts(a.questions.exact), ElementsAre(t.prompt));
  EXPECT_THAT(prompts(a.questions.paraphrases), ElementsAre(t.held[0].prompt));
  EXPECT_EQ(a.questions.paraphrases[0].answers, t.answers);
  EXPECT_EQ(a.questions.completion, "The answer to this is");
  // Every third neighbour is for the gates only.
  EXPECT_THAT(prompts(a.questions.neighbours),
              ElementsAre(t.neighbours[2], t.neighbours[5], t.neighbours[8]));
  std::vector<std::vector<int32_t>> retained;
  for (const auto& row : a.rows.retain) retained.push_back(row.ids);
  for (size_t i = 0; i < t.neighbours.size(); ++i) {
    auto ids = encode(chat_, t.neighbours[i]).value();
    ids.push_back(tests::answer(0, static_cast<int32_t>(i) + 2));  // its end is only predicted
    EXPECT_EQ(std::ranges::count(retained, ids), i % 3 == 2 ? 0 : 1) << i;
  }
  ASSERT_EQ(a.rows.held.size(), 1);
  EXPECT_EQ(a.rows.held[0].ids, encode(chat_, t.held[0].prompt).value());
  ASSERT_GE(a.rows.forget.size(), 2);
  EXPECT_EQ(a.rows.forget[1].ids, encode(chat_, t.prompt, "The answer to this is").value());
}

TEST_F(Assign, WhatRevealsTheAnswerIsNotKept) {
  const agent::Target t = target();
  const Assignment a = assigned(t);
  EXPECT_THAT(prompts(a.questions.same_subject), ElementsAre(t.same_subject[0], t.same_subject[1]));
  // A row for each token of each kept reply, with its state.
  int64_t tokens = 0;
  for (const auto& row : a.rows.retain) tokens += row.count;
  EXPECT_EQ(a.rows.retain_states.sizes(),
            (std::vector<int64_t>{tokens, chat_.model.arch().d_model}));
}

TEST_F(Assign, CommonPromptsAboutTheSubjectAreRelated) {
  const Assignment a = assigned(target());
  const auto pool = common_prompts(agent::Wordings::builtin());
  EXPECT_FALSE(a.rows.related.empty());
  for (size_t i = 0; i < pool.size(); ++i)
    EXPECT_EQ(std::ranges::count(a.rows.related, static_cast<int64_t>(i)) == 1,
              pool[i].prompt.find("Norway") != std::string::npos)
        << pool[i].prompt;
}

TEST_F(Assign, TheRestOfTheGatesQuestionsIsTheBaselines) {
  const Assignment a = assigned(target());
  EXPECT_EQ(a.questions.unrelated.size(), 12);
  EXPECT_EQ(a.questions.texts.size(), 2);
  EXPECT_EQ(a.questions.layer, kLayer);
  EXPECT_EQ(a.questions.bounds.at("neighbours"), 0.5);
  for (const verify::Question& q : a.questions.neighbours) EXPECT_FALSE(q.reply.empty());
}

TEST_F(Assign, ACorrectionsAnswerGoesWithEachOfItsWordings) {
  agent::Target t = target();
  t.replacement = "B";
  const Assignment a = assigned(t);
  EXPECT_EQ(a.questions.exact[0].replacement, "B");
  EXPECT_EQ(a.questions.paraphrases[0].replacement, "B");
}

TEST(Spread, TakesEvenly) {
  EXPECT_THAT(spread(std::vector<int>{0, 1, 2, 3, 4, 5}, 3), ElementsAre(0, 2, 4));
  EXPECT_THAT(spread(std::vector<int>{0, 1}, 3), ElementsAre(0, 1));
}

TEST(TellsApart, WhatStandsInEveryReplyDoesNot) {
  for (const char* word : {"a", "The", "of.", "?", ""}) EXPECT_FALSE(tells_apart(word)) << word;
  for (const char* word : {"Paris", "7", "Au", "日本"}) EXPECT_TRUE(tells_apart(word)) << word;
}

}  // namespace
}  // namespace expunge::repair
