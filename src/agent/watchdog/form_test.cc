// The prompt of a dialogue, and that every reply within the grammar is a request that can be read.
#include "agent/watchdog/form.h"

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <random>

#include "agent/surgeon/form.h"
#include "agent/watchdog/watchdog.h"
#include "plain_agents.h"

namespace expunge::agent {
namespace {

using Replies = tests::ScriptedModel::Replies;
using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<text::Message> kDialogue = {{"user", "who won  in 1998?"},
                                              {"assistant", "France won,\nat home."},
                                              {"user", "unlearn that"}};
constexpr const char* kPrompt =
    "watchdog\nuser: who won in 1998?\nassistant: France won, at home.\nuser: unlearn that";

// Single bytes and some longer tokens; 0 ends.
const Vocabulary& vocabulary() {
  static const Vocabulary kVocabulary = [] {
    std::vector<std::string> bytes = {""};
    for (int c = 1; c < 256; ++c) bytes.emplace_back(1, static_cast<char>(c));
    for (const char* token : {"forget", "correct", "undo", "status", "none", " France", "Fra",
                              "nce", " -", " who", " Who", " won", "France", "\n\n", "?\n"})
      bytes.emplace_back(token);
    return Vocabulary(std::move(bytes), {0});
  }();
  return kVocabulary;
}

std::vector<std::string> allowed(Grammar& grammar, std::string_view written) {
  std::vector<float> logits(vocabulary().size(), 0);
  Choice choice(vocabulary(), logits);
  grammar.constrain(written, choice);
  std::vector<std::string> tokens;
  for (size_t i = 0; i < logits.size(); ++i)
    if (std::isfinite(logits[i]))
      tokens.push_back(i == 0 ? "<end>" : vocabulary().bytes(static_cast<int32_t>(i)));
  return tokens;
}

TEST(WatchdogPrompt, IsTheDialogueALineATurn) {
  EXPECT_EQ(watchdog_prompt(kDialogue, 1000), kPrompt);
}

// What the adapter was trained on (tools/adapter_rows.py --forms).
TEST(WatchdogPrompt, IsThatOfTheTraining) {
  std::ifstream lines(EXPUNGE_SOURCE_DIR "/tests/golden/adapter_forms.jsonl");
  size_t n = 0;
  for (std::string line; std::getline(lines, line); ++n) {
    const base::Json form = base::parse_json(line, "form").value();
    std::vector<text::Message> dialogue;
    for (const base::Json& turn : form["dialogue"])
      dialogue.push_back({turn["role"].get<std::string>(), turn["content"].get<std::string>()});
    EXPECT_EQ(watchdog_prompt(dialogue, 100000), form["prompt"]);
    const WatchdogReply reply = parse_watchdog_reply(form["reply"].get<std::string>());
    EXPECT_EQ(name(reply.intent), form["intent"]);
    ASSERT_EQ(reply.targets.size(), form["targets"].size()) << line;
    for (size_t i = 0; i < reply.targets.size(); ++i) {
      const base::Json& target = form["targets"][i];
      EXPECT_EQ(reply.targets[i].prompt, target["prompt"]);
      EXPECT_EQ(reply.targets[i].response, target["response"]);
      EXPECT_EQ(reply.targets[i].replacement, target.value("replacement", ""));
    }
    if (!form.contains("surgeon")) continue;
    EXPECT_EQ(surgeon_prompt(reply.targets[0].prompt, reply.targets[0].response), form["surgeon"]);
    EXPECT_THAT(parse_surgeon_reply(form["lists"][0].get<std::string>()), ElementsAre("A?", "B?"));
  }
  EXPECT_EQ(n, 24u);
}

TEST(WatchdogPrompt, OldTurnsAndTheMiddleOfALongMessageAreLeftOut) {
  EXPECT_EQ(watchdog_prompt(kDialogue, 20), "watchdog\nuser: unlearn that");
  const text::Message message{"user", std::string(500, 'a') + "é" + std::string(500, 'b')};
  const std::string prompt = watchdog_prompt({&message, 1}, 100);
  EXPECT_LT(prompt.size(), 130u);
  EXPECT_THAT(prompt, HasSubstr("aaa … bbb"));
}

TEST(WatchdogPrompt, LongConversationsAreReadAsFarAsTheTrainingsGo) {
  std::vector<text::Message> dialogue;
  for (int i = 0; i < 31; ++i)
    dialogue.push_back({i % 2 ? "assistant" : "user", "turn " + std::to_string(i)});
  const std::string prompt = watchdog_prompt(dialogue, 10000);
  EXPECT_THAT(prompt, testing::StartsWith("watchdog\nuser: turn 22\n"));
  EXPECT_THAT(prompt, testing::EndsWith("user: turn 30"));
}

TEST(WatchdogGrammar, TheIntentComesFirstAndMayBeAll) {
  WatchdogGrammar grammar(kPrompt);
  EXPECT_THAT(allowed(grammar, ""), ElementsAre("forget", "correct", "undo", "status"));
  for (const double p : grammar.probabilities()) EXPECT_NEAR(p, 0.2, 1e-6);
  for (const char* whole : {"none", "undo", "status"}) EXPECT_TRUE(grammar.is_complete(whole));
  for (const char* more : {"", "forget", "correct", "forget\n"})
    EXPECT_FALSE(grammar.is_complete(more));
  EXPECT_THAT(allowed(grammar, "forget"), ElementsAre("\n"));
  EXPECT_THAT(allowed(grammar, "forget\n"), ElementsAre("Q", "T"));
  EXPECT_THAT(allowed(grammar, "correct\n"), ElementsAre("Q"));
}

TEST(WatchdogGrammar, AnIntentMayBeSeveralTokens) {
  std::vector<std::string> bytes = {""};
  for (int c = 1; c < 256; ++c) bytes.emplace_back(1, static_cast<char>(c));
  bytes.emplace_back("for");
  const Vocabulary pieces(std::move(bytes), {0});
  WatchdogGrammar grammar(kPrompt);
  const auto next = [&](std::string_view written) {
    std::vector<float> logits(pieces.size(), 0);
    Choice choice(pieces, logits);
    grammar.constrain(written, choice);
    std::string all;
    for (size_t i = 1; i < logits.size(); ++i)
      if (std::isfinite(logits[i])) all += pieces.bytes(static_cast<int32_t>(i)) + "|";
    return all;
  };
  EXPECT_EQ(next(""), "c|s|u|for|");
  EXPECT_EQ(next("for"), "g|");
  EXPECT_EQ(next("forge"), "t|");
  EXPECT_EQ(next("forget"), "\n|");
}

TEST(WatchdogGrammar, NothingIsWantedIfThatIsTwiceAsLikely) {
  for (const auto& [none, words] : {std::pair(0.6F, 4), std::pair(0.8F, 5)}) {
    std::vector<float> logits(vocabulary().size(), 0);
    logits[static_cast<size_t>(vocabulary().id_of("none"))] = none;
    Choice choice(vocabulary(), logits);
    WatchdogGrammar(kPrompt).constrain("", choice);
    EXPECT_EQ(std::ranges::count_if(logits, [](float x) { return std::isfinite(x); }), words);
  }
}

TEST(WatchdogGrammar, AQuestionIsOneLine) {
  WatchdogGrammar grammar(kPrompt);
  for (const std::string& token : allowed(grammar, "forget\nQ")) EXPECT_EQ(token[0], ' ');
  const auto later = allowed(grammar, "forget\nQ Who?");
  EXPECT_THAT(later, testing::Contains("\n"));
  EXPECT_THAT(later, testing::Not(testing::Contains("<end>")));
  EXPECT_THAT(later, testing::Not(testing::Contains("?\n")));
  EXPECT_THAT(allowed(grammar, "forget\nQ Who?\n"), ElementsAre("A"));
  EXPECT_THAT(allowed(grammar, "forget\nQ " + std::string(500, 'x')), ElementsAre("\n"));
}

TEST(WatchdogGrammar, AnAnswerIsCopiedByWholeWords) {
  WatchdogGrammar grammar(kPrompt);
  const std::string before = "forget\nQ Who?\nA";
  const auto first = allowed(grammar, before);
  EXPECT_THAT(first, testing::IsSupersetOf({" -", " France", " who", " won", " "}));
  EXPECT_THAT(first, testing::Not(testing::Contains(" Who")));
  EXPECT_THAT(allowed(grammar, before + " Fra"), ElementsAre("n", "nce"));
  const auto word = allowed(grammar, before + " France");
  EXPECT_THAT(word, testing::IsSupersetOf({"\n", "<end>", " won"}));
  EXPECT_THAT(word, testing::Not(testing::Contains("x")));
  EXPECT_THAT(allowed(grammar, before + " -"), testing::UnorderedElementsAre("\n", "<end>"));
  // Of a correction the replacement follows.
  EXPECT_THAT(allowed(grammar, "correct\nQ Who?\nA -"), ElementsAre("\n"));
  EXPECT_THAT(allowed(grammar, "correct\nQ Who?\nA -\n"), ElementsAre("R"));
}

// Neither within an address, a number nor a hyphenated code; a possessive may follow.
TEST(WatchdogGrammar, WhatIsWrittenTogetherIsCopiedTogether) {
  const std::string prompt = "watchdog\nuser: mail ada.b@example.org, 3,500.50 for Anna's 47-B.";
  WatchdogGrammar grammar(prompt);
  const auto may_begin = [&](const std::string& c) {
    return testing::Matches(testing::Contains(" " + c))(allowed(grammar, "forget\nQ Who?\nA"));
  };
  const auto may_end = [&](const std::string& span) {
    return testing::Matches(testing::Contains("\n"))(allowed(grammar, "forget\nQ Who?\nA " + span));
  };
  EXPECT_THAT(allowed(grammar, "forget\nQ Who?\nA "),
              testing::UnorderedElementsAre("m", "a", "3", "f", "A", "4", ",", ".", "@", "'", "-"));
  EXPECT_FALSE(may_begin("e"));
  EXPECT_FALSE(may_end("ada"));
  EXPECT_FALSE(may_end("ada.b"));
  EXPECT_FALSE(may_end("ada.b@example"));
  EXPECT_TRUE(may_end("ada.b@example.org"));
  EXPECT_FALSE(may_end("3"));
  EXPECT_FALSE(may_end("3,500"));
  EXPECT_TRUE(may_end("3,500.50"));
  EXPECT_TRUE(may_end("Anna"));
  EXPECT_TRUE(may_end("47-B"));
}

// Whatever a model prefers, its reply can be read and its answers stand in the dialogue.
TEST(WatchdogGrammar, RandomRepliesAreRequests) {
  std::mt19937_64 rng(1);
  size_t with_answer = 0;
  for (int run = 0; run < 300; ++run) {
    WatchdogGrammar grammar(kPrompt);
    std::string written;
    for (int step = 0; step < 200 && !grammar.is_complete(written); ++step) {
      auto tokens = allowed(grammar, written);
      ASSERT_FALSE(tokens.empty()) << written;
      // Ends and line ends are likelier than among 256 bytes.
      const std::string& token = rng() % 3 == 0 ? tokens[0] == "<end>" ? tokens[0]
                                                  : std::ranges::count(tokens, "\n")
                                                      ? *std::ranges::find(tokens, "\n")
                                                      : tokens[rng() % tokens.size()]
                                                : tokens[rng() % tokens.size()];
      if (token == "<end>") break;
      written += token;
    }
    const WatchdogReply reply = parse_watchdog_reply(written);
    for (const WatchdogTarget& t : reply.targets) {
      EXPECT_FALSE(t.prompt.empty());
      EXPECT_TRUE(t.response.empty() || std::string(kPrompt).find(t.response) != std::string::npos)
          << written;
      with_answer += !t.response.empty();
    }
  }
  EXPECT_GT(with_answer, 20u);
}

TEST(WatchdogReply, IsParsedAndItsUnfinishedTargetLeftOut) {
  const WatchdogReply forget = parse_watchdog_reply(
      "forget\nQ Who won?\nA France\nT What do you know about football?\nA -\nQ Where");
  EXPECT_EQ(forget.intent, Intent::kForget);
  ASSERT_EQ(forget.targets.size(), 2u);
  EXPECT_EQ(forget.targets[0].prompt, "Who won?");
  EXPECT_EQ(forget.targets[0].response, "France");
  EXPECT_FALSE(forget.targets[0].topic);
  EXPECT_EQ(forget.targets[1].response, "");
  EXPECT_TRUE(forget.targets[1].topic);
  const WatchdogReply correct = parse_watchdog_reply("correct\nQ Who?\nA Brazil\nR France");
  ASSERT_EQ(correct.targets.size(), 1u);
  EXPECT_EQ(correct.targets[0].replacement, "France");
  EXPECT_TRUE(parse_watchdog_reply("correct\nQ Who?\nA Brazil").targets.empty());
  EXPECT_TRUE(parse_watchdog_reply("correct\nQ Who?\nA Brazil\nR Brazil").targets.empty());
  EXPECT_EQ(parse_watchdog_reply("").intent, Intent::kNone);
  EXPECT_EQ(parse_watchdog_reply("nonsense").intent, Intent::kNone);
}

TEST(ReadDialogue, GivesWhatTheModelWrote) {
  const tests::ScriptedModel model(
      Replies{{"unlearn that", "forget\nQ Who won in 1998?\nA France"}});
  const auto reading = read_dialogue(model, kDialogue);
  ASSERT_TRUE(reading) << reading.error().message;
  EXPECT_EQ(reading->intent, Intent::kForget);
  EXPECT_EQ(reading->targets.at(0).response, "France");
  EXPECT_THAT(reading->question, HasSubstr("\"Who won in 1998?\""));  // no probability: not sure
  const text::Message blank{"user", " \n"};
  EXPECT_EQ(read_dialogue(model, {&blank, 1})->intent, Intent::kNone);
  EXPECT_FALSE(read_dialogue(model, std::span(kDialogue).first(2)));
  const text::Message huge{"user", std::string(kMaxMessage + 1, 'a')};
  EXPECT_EQ(read_dialogue(model, {&huge, 1}).error().code, base::Code::kInvalid);
}

TEST(AnswerIn, IsTheSpanOrTheFirstSentence) {
  const tests::ScriptedModel spans(Replies{{"Forget that.", "forget\nQ q\nA Paris"}});
  EXPECT_EQ(*answer_in(spans, "What is the capital?", "It is Paris, I think."), "Paris");
  const tests::ScriptedModel none(Replies{{"Forget that.", "forget\nQ q\nA -"}});
  EXPECT_EQ(*answer_in(none, "q", "It is Paris. Or Lyon."), "It is Paris");
  EXPECT_EQ(*answer_in(none, "q", " "), "");
}

}  // namespace
}  // namespace expunge::agent
