#include "service/dialogue.h"

#include "service/service_test.h"

namespace expunge::service {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class DialogueTest : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    session_ = open();
  }
  std::string shown(Dialogue& dialogue, const std::string& user, size_t room = 16) const {
    const auto shown = dialogue.shown(session_->present(), user, room);
    return session_->present().tokenizer.decode(shown.value().ids, text::Specials::kKeep).value();
  }
  static std::vector<std::string> contents(const Dialogue& dialogue, const std::string& user) {
    std::vector<std::string> all;
    for (const text::Message& m : dialogue.heard(user)) all.push_back(m.content);
    return all;
  }
  static agent::Plan plan(const std::string& answer) {
    agent::Plan plan;
    plan.targets.emplace_back();
    plan.targets[0].answers = {answer};
    return plan;
  }

  std::unique_ptr<Session> session_;
};

TEST_F(DialogueTest, OrdersAreHeardAndNeverShown) {
  Dialogue d("Be brief.");
  d.add_turn("Hello", "Good day");
  d.add_order("Please forget Paris", "Forgotten, as entry 1.");
  EXPECT_THAT(contents(d, "And now?"), ElementsAre("Hello", "Good day", "Please forget Paris",
                                                   "Forgotten, as entry 1.", "And now?"));
  const std::string text = shown(d, "And now?");
  EXPECT_THAT(text, HasSubstr("<|im_start|>system\nBe brief.<|im_end|>"));
  EXPECT_THAT(text, HasSubstr("Good day"));
  EXPECT_THAT(text, HasSubstr("And now?<|im_end|>\n<|im_start|>assistant\n"));
  EXPECT_THAT(text, Not(HasSubstr("Paris")));
}

TEST_F(DialogueTest, TurnsThatRevealAnAnswerAreHiddenOnce) {
  Dialogue d("");
  d.add_turn("What is the capital of France?", "It is Paris.");
  d.add_turn("I was in paris once", "Lovely");
  d.add_turn("What is the capital of Peru?", "Lima");
  EXPECT_EQ(d.forget(plan("Paris")), 2);
  EXPECT_EQ(d.forget(plan("Paris")), 0);
  const std::string text = shown(d, "Next");
  EXPECT_THAT(text, Not(HasSubstr("France")));
  EXPECT_THAT(text, Not(HasSubstr("Lovely")));
  EXPECT_THAT(text, HasSubstr("Lima"));
  EXPECT_EQ(contents(d, "Next").size(), 7);  // the watchdog still reads all of it
}

TEST_F(DialogueTest, WhatWasSaidUnderAnEditIsHiddenOnceItIsUndone) {
  Dialogue d("");
  d.add_turn("What is the capital of France?", "I don't know.", {1});
  d.add_turn("What is the capital of Peru?", "Lima", {1, 2});
  d.add_turn("And of Chile?", "Santiago", {2});
  const int64_t both[] = {1, 2};
  d.hide_undone(both);
  EXPECT_THAT(shown(d, "Next"), HasSubstr("I don't know."));
  d.hide_undone({both + 1, 1});
  EXPECT_THAT(shown(d, "Next"), Not(HasSubstr("I don't know.")));
  EXPECT_THAT(shown(d, "Next"), Not(HasSubstr("Lima")));
  EXPECT_THAT(shown(d, "Next"), HasSubstr("Santiago"));
}

TEST_F(DialogueTest, TheOldestTurnsAreLeftOutWhenTheContextIsFull) {
  Dialogue d("");
  const std::string longer(700, 'x');  // a token a byte, 2048 in all
  d.add_turn("first", longer);
  d.add_turn("second", longer);
  EXPECT_EQ(d.shown(session_->present(), "short", 16)->left_out, 0);
  const auto shown_now = d.shown(session_->present(), longer, 16).value();
  EXPECT_EQ(shown_now.left_out, 1);
  EXPECT_LE(shown_now.ids.size() + 16, 2048);
  EXPECT_THAT(shown(d, "short"), Not(HasSubstr("first")));  // and stay out
  EXPECT_THAT(shown(d, "short"), HasSubstr("second"));
  // A message that cannot fit is not cut: generation refuses it.
  EXPECT_GT(d.shown(session_->present(), std::string(3000, 'x'), 16)->ids.size(), 3000);
}

TEST_F(DialogueTest, ClearingForgetsTheTurnsAndKeepsTheSystemMessage) {
  Dialogue d("Be brief.");
  d.add_turn("Hello", "Good day");
  d.clear();
  EXPECT_THAT(contents(d, "Again"), ElementsAre("Again"));
  EXPECT_THAT(shown(d, "Again"), HasSubstr("Be brief."));
}

}  // namespace
}  // namespace expunge::service
