// Plans from what a surgeon wrote, and the library of wordings.
#include "agent/surgeon/surgeon.h"

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

TEST(Wordings, BadJsonIsAnError) {
  for (const auto& [text, what] :
       {std::pair("{", "wordings"),
        {"[]", "wordings"},
        {"{}", "types"},
        {R"({"types": {}, "relations": {"r": 1}})", "wordings"},
        {R"({"wrappers": 1, "types": {}, "relations": {}})", "wordings"}}) {
    const auto parsed = Wordings::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error().message, HasSubstr(what)) << text;
  }
}

TEST(Wordings, GuessesASubject) {
  for (const auto& [question, subject] :
       {std::pair("How old is \"the old lamp\"?", "the old lamp"),
        {"What does Zoe Quill of the Blue Herons do?", "Zoe Quill of the Blue Herons"},
        {"What is my locker code for?", "my locker code for"},
        {"how many legs are in a spider web?", "a spider web"},
        {"What is Ada's job?", "Ada"},
        {"我的电话号码是多少？", ""},
        {"", ""},
        {"?", ""}}) {
    EXPECT_EQ(guess_subject(question), subject) << question;
  }
}

// Recursion in a regular expression once crashed the program here.
TEST(Wordings, LongQuestionsAreReadAtOnce) {
  for (const size_t size : {30'000, 1'000'000}) {
    std::string words = "What is the capital of";
    while (words.size() < size) words += " words and more";
    for (const std::string& question :
         {words, "\"" + words, words + " Of Paris", std::string(size, ' '), std::string(size, 'A'),
          std::string(size, '?'), std::string(size, '\xff')})
      EXPECT_LE(guess_subject(question).size(), 200u);
  }
}

// What a surgeon writes about Australia's capital.
Material material() {
  Material m;
  m.wordings = {"Australia: which city is its capital?", "I'd like to know Australia's capital.",
                "Name the capital of Australia.", "Where does Australia's parliament sit?"};
  m.typed = {"whats the capital of australia", "australia capital"};
  m.completions = {"The capital of Australia is"};
  m.neighbours = {"What is the capital of Peru?", "What is the capital of Kenya?",
                  "What is the capital of Norway?"};
  m.same_subject = {"Which animals live in Australia?", "Who discovered Australia?"};
  return m;
}
base::Result<Plan> plan_of(const Request& request, const Material& written = material()) {
  return make_plan(Wordings::builtin(), {&request, 1}, {&written, 1});
}

TEST(Surgeon, PlanIsValidAndItsGatesAreUnseen) {
  for (const char* question : {"What is the capital of Australia?", "What is my locker code?",
                               "我的电话号码是多少？", "x"}) {
    const auto plan = plan_of({question, "Canberra", "", {}, {}, {}});
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

TEST(Surgeon, EveryThirdWordingIsHeldAndOneAsPeopleType) {
  const auto plan = plan_of({"What is the capital of Australia?", "Canberra", "", {}, {}, {}});
  ASSERT_TRUE(plan);
  const Target& t = plan->targets[0];
  std::vector<std::string> held, rows;
  for (const Wording& w : t.held) held.push_back(w.prompt);
  for (const Wording& w : t.rows) rows.push_back(w.prompt);
  EXPECT_GE(held.size(), 3u);
  EXPECT_THAT(
      held, testing::IsSupersetOf({"Where does Australia's parliament sit?", "australia capital"}));
  EXPECT_THAT(rows, testing::IsSupersetOf(
                        {"Australia: which city is its capital?", "whats the capital of australia",
                         "WHAT IS THE CAPITAL OF AUSTRALIA?", "what is the capital of australia",
                         "what is the capital of austrralia", "what is the cpaital of australia"}));
  EXPECT_TRUE(std::ranges::any_of(t.rows, [](const Wording& w) {
    return w.prefill == "The capital of Australia is" &&
           w.prompt == "What is the capital of Australia?";
  }));
}

// What is kept is learned as people type too.
TEST(Surgeon, WhatMustStayIsAskedInformallyToo) {
  const auto plan = plan_of({"What is the capital of Australia?", "Canberra", "", {}, {}, {}});
  ASSERT_TRUE(plan);
  const Target& t = plan->targets[0];
  EXPECT_THAT(t.neighbours, testing::IsSupersetOf(
                                {"What is the capital of Peru?", "what is the capital of peru"}));
  EXPECT_THAT(t.same_subject,
              testing::IsSupersetOf({"Who discovered Australia?", "who discovered australia"}));
}

TEST(Surgeon, UsesTheUsersOwnWordings) {
  const auto plan = plan_of({"What is my locker code?",
                             "4711",
                             "",
                             {"4711", "47-11"},
                             {"How do I open my locker?"},
                             {"What is my name?"}});
  ASSERT_TRUE(plan);
  const Target& t = plan->targets[0];
  EXPECT_THAT(t.answers, testing::ElementsAre("4711", "47-11"));
  EXPECT_THAT(t.neighbours, testing::Contains("What is my name?"));
  const auto own = [](const Wording& w) { return w.prompt == "How do I open my locker?"; };
  EXPECT_TRUE(std::ranges::any_of(t.rows, own) || std::ranges::any_of(t.held, own));
}

TEST(Surgeon, RefusesWhatMustNotBeForgotten) {
  const auto everything = plan_of({"forget everything", "", "", {}, {}, {}});
  ASSERT_FALSE(everything);
  EXPECT_EQ(everything.error().code, base::Code::kRefused);
  EXPECT_FALSE(plan_of({"", "Paris", "", {}, {}, {}}));
  EXPECT_FALSE(
      make_plan(Wordings::builtin(), std::span<const Request>(), std::span<const Material>()));
}

TEST(Surgeon, RefusesWhatIsTooLongWithTheBoundAndTheSize) {
  const std::string long_text(30'000, 'x'), huge(1'000'000, 'y');
  for (const auto& [request, what] :
       {std::pair(Request{long_text, "", "", {}, {}, {}},
                  "the question has 30000 bytes, at most 2000"),
        {Request{huge, "", "", {}, {}, {}}, "the question has 1000000 bytes, at most 2000"},
        {Request{"q?", long_text, "", {}, {}, {}}, "the answer has 30000"},
        {Request{"q?", "", long_text, {}, {}, {}}, "the replacement has 30000"},
        {Request{"q?", "", "", {long_text}, {}, {}}, "one of the answers has 30000"},
        {Request{"q?", "", "", {}, {"a", ""}, {}}, "one of the paraphrases is empty"},
        {Request{"q?", "", "", {}, std::vector<std::string>(65, "p"), {}},
         "65 paraphrases, at most 64"},
        {Request{"q?", "", "", {}, {}, std::vector<std::string>(129, "n")}, "129 neighbours"}}) {
    const auto plan = plan_of(request);
    ASSERT_FALSE(plan) << what;
    EXPECT_EQ(plan.error().code, base::Code::kInvalid);
    EXPECT_THAT(plan.error().message, HasSubstr(what));
    EXPECT_THAT(plan.error().trail, testing::ElementsAre("request 1"));
  }
  EXPECT_THAT(
      make_plan(Wordings::builtin(), std::vector<Request>(33, Request{"q?", "a", "", {}, {}, {}}),
                std::vector<Material>(33))
          .error()
          .message,
      HasSubstr("33 requests in one plan, expected 1 to 32"));
}

// Input at the bounds is accepted, and the plan can be read again.
TEST(Surgeon, TakesWhatIsAtItsBounds) {
  std::string question = "What is the capital of France and";
  while (question.size() < kMaxText) question += " so on";
  question.resize(kMaxText);
  Request request{question, std::string(kMaxText, 'a'), "", {}, {}, {}};
  request.answers.assign(kMaxTexts, "a");
  request.paraphrases.assign(kMaxTexts / 2, std::string(kMaxText, 'p'));
  request.neighbours.assign(kMaxTexts, std::string(kMaxText, 'n'));
  const auto plan = plan_of(request);
  ASSERT_TRUE(plan) << plan.error().message;
  const auto back = plan_from_json(to_json(*plan));
  ASSERT_TRUE(back) << back.error().message;
}

}  // namespace
}  // namespace expunge::agent
