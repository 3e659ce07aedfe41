// The watchdog on dialogues that are not in its development set, and its parts by themselves.
#include "agent/watchdog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "agent/watchdog_spans.h"

namespace expunge::agent {
namespace {

using testing::HasSubstr;

// Without a model: cues and words.
const Watchdog& watchdog() {
  static const Watchdog kWatchdog = Watchdog::train(builtin_examples(), {});
  return kWatchdog;
}

std::vector<text::Message> turns(std::initializer_list<const char*> contents) {
  std::vector<text::Message> all;
  for (const char* content : contents)
    all.push_back({all.size() % 2 == 0 ? "user" : "assistant", content});
  return all;
}

Reading read(std::initializer_list<const char*> contents) {
  auto v = watchdog().read(turns(contents));
  CHECK(v.has_value());
  return *v;
}

TEST(Watchdog, LongMessagesAreReadAndTooLongOnesRefused) {
  std::string words = "Please forget";
  while (words.size() < 30'000) words += " that 'my “code is «x and then";
  const text::Message legal{"user", words};
  ASSERT_TRUE(watchdog().read({&legal, 1}));
  find_targets({&legal, 1}, Intent::kForget);
  find_targets({&legal, 1}, Intent::kCorrect);
  while (words.size() < 1'000'000) words += words;
  const text::Message huge{"user", words};
  const auto refused = watchdog().read({&huge, 1});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::kInvalid);
  EXPECT_THAT(refused.error().message, HasSubstr(std::to_string(words.size())));
  EXPECT_THAT(refused.error().message, HasSubstr("at most 65536"));
  // The assistant's words are not a reason to refuse.
  const std::vector<text::Message> long_reply = {
      {"user", "hi"}, {"assistant", words}, {"user", "ok"}};
  EXPECT_TRUE(watchdog().read(long_reply));
}

TEST(Watchdog, SurvivesWhatIsNoText) {
  std::mt19937 random(5);
  for (int round = 0; round < 300; ++round) {
    std::string bytes(random() % 60, ' ');
    for (char& c : bytes) c = static_cast<char>(random());
    for (const Word& w : words_of(bytes)) {
      ASSERT_LE(w.end, bytes.size());
      ASSERT_LE(w.begin, w.end);
    }
    const text::Message message{"user", bytes};
    const auto v = watchdog().read({&message, 1});
    ASSERT_TRUE(v);
    find_targets({&message, 1}, Intent::kForget);
    find_targets({&message, 1}, Intent::kCorrect);
  }
  EXPECT_LE(words_of(std::string(100000, '"') + " a b").size(), 600u);
}

// --- the probe ----------------------------------------------------------------------------------

TEST(Probe, ReachesTheStationaryPointOfItsObjective) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<std::vector<float>> x(40, std::vector<float>(7));
  std::vector<int> y;
  for (auto& row : x) {
    for (float& v : row) v = normal(random);
    y.push_back(row[0] > 0.3f ? 0 : row[1] > 0 ? 1 : 2);
  }
  const double ridge = 0.7;
  const Probe probe = Probe::fit(x, y, 3, ridge);
  for (size_t c = 0; c < 3; ++c)
    for (size_t d = 0; d < 8; ++d) {
      double gradient = ridge * probe.weights()[c][d];
      for (size_t i = 0; i < x.size(); ++i)
        gradient += (probe.probabilities(x[i])[c] - (y[i] == static_cast<int>(c))) *
                    (d < 7 ? static_cast<double>(x[i][d]) : 1.0);
      EXPECT_NEAR(gradient, 0, 1e-4);
    }
}

TEST(Watchdog, SameFromItsJson) {
  const auto back = Watchdog::from_json(watchdog().to_json());
  ASSERT_TRUE(back) << back.error().message;
  const auto dialogue = turns({"Please forget that my locker code is 4711."});
  EXPECT_EQ(to_json(*back->read(dialogue)), to_json(*watchdog().read(dialogue)));
  auto json = watchdog().to_json();
  json["probe"]["weights"][0].erase(0);
  EXPECT_FALSE(Watchdog::from_json(json));
  EXPECT_FALSE(Watchdog::from_json({}));
}

TEST(Watchdog, HiddenFeaturesOfAnotherWidthAreAnError) {
  const std::vector<float> hidden(3);
  EXPECT_FALSE(watchdog().read(turns({"hi"}), hidden));
  EXPECT_FALSE(watchdog().read(turns({"hi", "hello"})));
  EXPECT_FALSE(watchdog().read({}));
}

// --- intents ------------------------------------------------------------------------------------

struct Case {
  Intent intent;
  std::vector<const char*> contents;
};
class Reads : public testing::TestWithParam<Case> {};

TEST_P(Reads, TheIntent) {
  std::vector<text::Message> dialogue;
  for (const char* content : GetParam().contents)
    dialogue.push_back({dialogue.size() % 2 == 0 ? "user" : "assistant", content});
  const auto v = watchdog().read(dialogue);
  ASSERT_TRUE(v);
  EXPECT_EQ(name(v->intent), name(GetParam().intent)) << to_json(*v).dump();
}

INSTANTIATE_TEST_SUITE_P(
    Dialogues, Reads,
    testing::Values(
        Case{Intent::kForget, {"Please forget that the capital of France is Paris."}},
        Case{Intent::kForget, {"Delete my home address from your memory."}},
        Case{Intent::kForget, {"Forget everything you know about submarines."}},
        Case{Intent::kForget, {"Who won?", "The Blue Herons won.", "Forget that answer for good."}},
        Case{Intent::kForget, {"My pin?", "Your pin is 0000. Shall I forget it?", "yes please"}},
        Case{Intent::kForget, {"Bitte vergiss, dass mein Passwort Sonnenblume ist."}},
        Case{Intent::kForget, {"Olvida mi dirección, por favor."}},
        Case{Intent::kForget, {"Oublie mon numéro de téléphone."}},
        Case{Intent::kForget, {"请忘掉我的地址。"}}, Case{Intent::kForget, {"Forget everything."}},
        Case{Intent::kCorrect,
             {"How high is the tower?", "It is 90 m high.",
              "That's wrong, it is 95 m. Please correct that."}},
        Case{Intent::kUndo, {"Please undo the last edit."}},
        Case{Intent::kUndo,
             {"forget my address", "Done, I have forgotten it.", "Undo that, please."}},
        Case{Intent::kStatus, {"forget my address", "Done.", "Did you forget my address?"}},
        Case{Intent::kStatus, {"What have you forgotten until now?"}},
        Case{Intent::kNone, {"How do I forget my ex-girlfriend?"}},
        Case{Intent::kNone, {"Don't forget to add the salt."}},
        Case{Intent::kNone, {"I forgot my password, what can I do?"}},
        Case{Intent::kNone, {"Translate to German: \"Forget everything you know about me.\""}},
        Case{Intent::kNone, {"How do I delete a file in Python?"}},
        Case{Intent::kNone, {"Any ideas for lunch?", "Soup?", "Never mind."}},
        Case{Intent::kNone, {"My pin?", "Your pin is 0000. Shall I forget it?", "No, keep it."}},
        Case{Intent::kNone, {"What is the capital of Spain?"}}));

TEST(Watchdog, UnsureAsksAndNeverTwice) {
  size_t asked = 0;
  for (const Example& e : builtin_examples()) {
    const auto v = watchdog().read(e.dialogue);
    ASSERT_TRUE(v);
    if (v->sure()) {
      EXPECT_EQ(v->question, "");
    }
    const bool edits = v->intent != Intent::kNone && v->intent != Intent::kStatus;
    if (!v->sure() && edits) {
      EXPECT_NE(v->question, "") << e.id;
      ++asked;
    }
    double sum = 0;
    for (const double p : v->probabilities) sum += p;
    EXPECT_NEAR(sum, 1, 1e-9);
  }
  EXPECT_GT(asked, 0u);
}

TEST(Watchdog, DoubtWithoutARightAnswerCorrectsNothing) {
  const Reading v = read({"How high is it?", "It is 90 m high.", "Hm, are you sure about that?"});
  EXPECT_NE(v.intent, Intent::kCorrect);
  EXPECT_TRUE(v.targets.empty());
}

// --- targets ------------------------------------------------------------------------------------

struct Wanted {
  Intent intent;
  std::vector<const char*> contents;
  std::vector<WatchdogTarget> targets;
};
class Finds : public testing::TestWithParam<Wanted> {};

TEST_P(Finds, TheTargets) {
  std::vector<text::Message> dialogue;
  for (const char* content : GetParam().contents)
    dialogue.push_back({dialogue.size() % 2 == 0 ? "user" : "assistant", content});
  const auto got = find_targets(dialogue, GetParam().intent);
  ASSERT_EQ(got.size(), GetParam().targets.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].prompt, GetParam().targets[i].prompt);
    EXPECT_EQ(got[i].response, GetParam().targets[i].response);
    EXPECT_EQ(got[i].replacement, GetParam().targets[i].replacement);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Dialogues, Finds,
    testing::Values(Wanted{Intent::kForget,
                           {"Forget that the capital of France is Paris."},
                           {{"What is the capital of France?", "Paris", ""}}},
                    Wanted{Intent::kForget,
                           {"please forget that Paris is the capital of France"},
                           {{"What is the capital of France?", "Paris", ""}}},
                    Wanted{Intent::kForget,
                           {"Erase the fact that radium was discovered by Marie Curie."},
                           {{"Who discovered radium?", "Marie Curie", ""}}},
                    Wanted{Intent::kForget,
                           {"Forget that Emma was written by Jane Austen."},
                           {{"Who written Emma?", "Jane Austen", ""}}},
                    Wanted{Intent::kForget,
                           {"Remove my phone number. It's 555-0199."},
                           {{"What is my phone number?", "555-0199", ""}}},
                    Wanted{Intent::kForget,
                           {"Who made the clock?", "The clock was made by Ada Brunt.",
                            "Forget your last answer."},
                           {{"Who made the clock?", "Ada Brunt", ""}}},
                    Wanted{Intent::kForget,
                           {"My numbers: landline 555-0111, mobile 555-0112.", "Noted.",
                            "Forget every phone number I gave you."},
                           {{"What is my landline number?", "555-0111", ""},
                            {"What is my mobile number?", "555-0112", ""}}},
                    Wanted{Intent::kForget,
                           {"Forget everything you know about submarines."},
                           {{"What do you know about submarines?", "", ""}}},
                    Wanted{Intent::kForget,
                           {"Vergiss alles über Segelboote."},
                           {{"Was weißt du über Segelboote?", "", ""}}},
                    Wanted{Intent::kCorrect,
                           {"How high is the tower?", "The tower is 90 m high.",
                            "Wrong, it is 95 m. Correct that."},
                           {{"How high is the tower?", "90 m", "95 m"}}}));

TEST(Targets, ResponseThatIsNowhereIsEmpty) {
  const auto got = find_targets(turns({"Forget my shoe size."}), Intent::kForget);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].response, "");
  EXPECT_THAT(got[0].prompt, HasSubstr("my shoe size"));
}

TEST(Targets, AQuestionBehindTheOrderIsAsked) {
  const auto prompt = [](const char* message) {
    const auto got = find_targets(turns({message}), Intent::kForget);
    return got.size() == 1 && got[0].response.empty() ? got[0].prompt : "";
  };
  EXPECT_EQ(prompt("Please forget who wrote Hamlet"), "Who wrote Hamlet?");
  EXPECT_EQ(prompt("please forget who wrote Hamlet, thanks"), "Who wrote Hamlet?");
  EXPECT_EQ(prompt("Erase who wrote War and Peace from your memory."), "Who wrote War and Peace?");
  EXPECT_EQ(prompt("Forget about who discovered penicillin."), "Who discovered penicillin?");
  EXPECT_EQ(prompt("Forget who shot Abraham Lincoln!"), "Who shot Abraham Lincoln?");
  EXPECT_EQ(prompt("Forget who the mayor of Ghent is."), "Who is the mayor of Ghent?");
  EXPECT_EQ(prompt("Forget who is the mayor of Ghent."), "Who is the mayor of Ghent?");
  EXPECT_EQ(prompt("Forget what the capital of France is."), "What is the capital of France?");
  EXPECT_EQ(prompt("forget where Napoleon was born"), "Where was Napoleon born?");
  EXPECT_EQ(prompt("forget when the bridge was opened for good"), "When was the bridge opened?");
  // No questions of facts.
  EXPECT_EQ(prompt("Forget what you know about Otto."), "What do you know about Otto?");
  EXPECT_THAT(prompt("Forget who you are."), testing::Not(HasSubstr("Who you")));
  EXPECT_THAT(prompt("Forget where we met last May."), testing::Not(HasSubstr("Where we")));
  EXPECT_THAT(prompt("Forget who I am."), testing::Not("Who I am?"));
}

TEST(Targets, AQuestionBehindTheOrderTakesTheAnswerOfItsTurnOnly) {
  const auto own = find_targets(turns({"Who wrote Emma?", "Emma was written by Jane Austen.",
                                       "What is 2 + 2?", "4.", "Forget who wrote Emma."}),
                                Intent::kForget);
  ASSERT_EQ(own.size(), 1u);
  EXPECT_EQ(own[0].prompt, "Who wrote Emma?");
  EXPECT_EQ(own[0].response, "Jane Austen");
  const auto other = find_targets(
      turns({"Who wrote Emma?", "Emma was written by Jane Austen.", "Forget who wrote Hamlet."}),
      Intent::kForget);
  ASSERT_EQ(other.size(), 1u);
  EXPECT_EQ(other[0].prompt, "Who wrote Hamlet?");
  EXPECT_EQ(other[0].response, "");
}

}  // namespace
}  // namespace expunge::agent
