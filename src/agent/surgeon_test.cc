// The built-in surgeon and its library of wordings.
#include "agent/surgeon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace expunge::agent {
namespace {

using testing::HasSubstr;

TEST(Wordings, FillsInSubjectAndQuestion) {
  EXPECT_EQ(fill_in("{X}: {q} ({X})", "Peru", "what is it?"), "Peru: what is it? (Peru)");
  EXPECT_EQ(fill_in("{X}", "a {X} b"), "a {X} b");  // no endless replacement
}

TEST(Wordings, ReadsRelationAndSubject) {
  const auto& w = Wordings::builtin();
  for (const auto& [question, relation, subject] :
       {std::tuple("What is the capital of Australia?", "capital", "Australia"),
        std::tuple("Who wrote Pride and Prejudice?", "author", "Pride and Prejudice"),
        std::tuple("What is the chemical symbol for gold?", "symbol", "gold")}) {
    const Reading reading = read_question(w, question);
    ASSERT_NE(reading.relation, nullptr) << question;
    EXPECT_EQ(reading.relation->name, relation);
    EXPECT_EQ(reading.subject, subject);
  }
}

TEST(Wordings, BadJsonIsAnError) { EXPECT_FALSE(Wordings::parse("{")); }

TEST(Surgeon, PlanIsValidAndItsGatesAreUnseen) {
  for (const char* question : {"What is the capital of Australia?", "What is my locker code?",
                               "我的电话号码是多少？", "x"}) {
    const auto plan = make_plan(Wordings::builtin(), {{question, "Canberra", "", {}, {}, {}}});
    ASSERT_TRUE(plan) << plan.error().message;
    const Target& t = plan->targets.at(0);
    EXPECT_FALSE(t.rows.empty());
    EXPECT_FALSE(t.held.empty());
    std::set<std::pair<std::string, std::string>> rows;
    for (const Wording& row : t.rows) rows.emplace(row.prompt, row.prefill);
    for (const Wording& held : t.held)
      EXPECT_FALSE(rows.contains({held.prompt, held.prefill})) << held.prompt;
    EXPECT_THAT(t.answers, testing::ElementsAre("Canberra"));
    const auto back = plan_from_json(to_json(*plan));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(to_json(*back), to_json(*plan));
  }
}

TEST(Surgeon, NeighboursAskTheSameOfOthersOnly) {
  const auto plan = make_plan(Wordings::builtin(),
                              {{"What is the capital of Australia?", "Canberra", "", {}, {}, {}}});
  ASSERT_TRUE(plan);
  const Target& t = plan->targets[0];
  EXPECT_GE(t.neighbours.size(), 8u);
  for (const std::string& q : t.neighbours) EXPECT_THAT(q, testing::Not(HasSubstr("Australia")));
  EXPECT_FALSE(t.same_subject.empty());
  for (const std::string& q : t.same_subject) {
    EXPECT_THAT(q, HasSubstr("Australia"));
    const Reading reading = read_question(Wordings::builtin(), q);
    EXPECT_TRUE(!reading.relation || reading.relation->name != "capital") << q;
  }
}

TEST(Surgeon, UsesTheUsersOwnWordings) {
  const auto plan = make_plan(Wordings::builtin(), {{"What is my locker code?",
                                                     "4711",
                                                     "",
                                                     {"4711", "47-11"},
                                                     {"How do I open my locker?"},
                                                     {"What is my name?"}}});
  ASSERT_TRUE(plan);
  const Target& t = plan->targets[0];
  EXPECT_THAT(t.answers, testing::ElementsAre("4711", "47-11"));
  EXPECT_THAT(t.neighbours, testing::Contains("What is my name?"));
  const auto own = [](const Wording& w) { return w.prompt == "How do I open my locker?"; };
  EXPECT_TRUE(std::ranges::any_of(t.rows, own) || std::ranges::any_of(t.held, own));
}

TEST(Surgeon, RefusesWhatMustNotBeForgotten) {
  const auto everything =
      make_plan(Wordings::builtin(), {{"forget everything", "", "", {}, {}, {}}});
  ASSERT_FALSE(everything);
  EXPECT_EQ(everything.error().code, base::Code::kRefused);
  EXPECT_FALSE(make_plan(Wordings::builtin(), {{"", "Paris", "", {}, {}, {}}}));
  EXPECT_FALSE(make_plan(Wordings::builtin(), {}));
}

}  // namespace
}  // namespace expunge::agent
