// What `expunge bench watchdog` counts.
#include "agent/watchdog/bench.h"

#include <gmock/gmock.h>

#include "plain_agents.h"

namespace expunge::agent {
namespace {

using testing::HasSubstr;

TEST(Bench, ScoresByContainmentAndKeyWords) {
  EXPECT_TRUE(same_span("Marie Curie", "marie curie"));
  EXPECT_TRUE(same_span("in 1911", "1911"));
  EXPECT_FALSE(same_span("", "1911"));
  EXPECT_TRUE(same_span("", ""));
  EXPECT_TRUE(
      same_prompt("When was Brindle & Co. founded?", "In which year was Brindle & Co founded?"));
  EXPECT_FALSE(same_prompt("What is my name?", "When was Brindle & Co. founded?"));
}

TEST(Bench, CountsWhatIsFoundAndWhatIsRight) {
  const auto items = examples_from_jsonl(
      R"({"id": "a", "dialogue": [{"role": "user", "content": "lose Paris"}], "intent": "forget", "targets": [{"prompt": "What is the capital of France?", "response": "Paris"}], "note": "fact, en: x"}
{"id": "b", "dialogue": [{"role": "user", "content": "lose Rome"}], "intent": "forget", "targets": [{"prompt": "What is the capital of Italy?", "response": "Rome"}], "note": "fact, en: x"}
{"id": "c", "dialogue": [{"role": "user", "content": "lose Bonn"}], "intent": "forget", "targets": [{"prompt": "What was the capital?", "response": "Bonn"}], "note": "fact, de: x"}
{"id": "d", "dialogue": [{"role": "user", "content": "boil an egg"}], "intent": "none", "targets": [], "note": "hard, en: x"}
{"id": "e", "dialogue": [{"role": "user", "content": "hello"}], "intent": "none", "targets": [], "note": "easy, en: x"})",
      "file");
  ASSERT_TRUE(items) << items.error().message;
  const tests::ScriptedModel model({{"Paris", "forget\nQ What is the capital of France?\nA Paris"},
                                    {"Rome", "forget\nQ What is the capital of Italy?\nA Milan"},
                                    {"egg", "forget\nQ How is an egg boiled?\nA -"}});
  const auto figures = bench_watchdog(*items, model);
  ASSERT_TRUE(figures) << figures.error().message;
  EXPECT_DOUBLE_EQ((*figures)["found"], 2.0 / 3);
  EXPECT_DOUBLE_EQ((*figures)["false_alarms"], 0.5);
  EXPECT_DOUBLE_EQ((*figures)["intent"], 0.6);
  EXPECT_DOUBLE_EQ((*figures)["targets"], 0.5);
  EXPECT_DOUBLE_EQ((*figures)["questions"], 1);
  EXPECT_DOUBLE_EQ((*figures)["answers"], 0.5);
  EXPECT_EQ((*figures)["counts"]["whole"], 1);
  EXPECT_EQ((*figures)["languages"]["de"]["found"], 0);
  EXPECT_EQ((*figures)["categories"]["hard"]["false_alarms"], 1);
  EXPECT_EQ((*figures)["matrix"]["rows"][0][4], 1);  // forget read as none
  EXPECT_EQ((*figures)["failures"].size(), 3u);
  EXPECT_EQ((*figures)["failures"][0]["id"], "b");
  EXPECT_FALSE(bench_watchdog({}, model));
}

TEST(Bench, BadFilesNameTheLine) {
  for (const char* text : {"{}", "{\"dialogue\": [], \"intent\": \"none\"}", "nonsense",
                           R"({"dialogue": [{"role": "user", "content": "a"}], "intent": "what"})",
                           R"({"dialogue": [{"role": "user", "content": 5}], "intent": "none"})"}) {
    const auto parsed = examples_from_jsonl(std::string("\n") + text, "file");
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error().message, HasSubstr("line 2"));
  }
}

}  // namespace
}  // namespace expunge::agent
