// What `expunge bench watchdog` counts, and whose dialogues it takes for the training set.
#include "agent/watchdog_bench.h"

#include <gmock/gmock.h>

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

TEST(Bench, TrainingSetIsCrossValidated) {
  const auto own = cross_validate_watchdog();
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_TRUE((*own)["cross_validated"].get<bool>());
  EXPECT_EQ((*own)["items"], 240);
  size_t sum = 0;
  for (const auto& row : (*own)["matrix"]["rows"])
    for (const auto& n : row) sum += n.get<size_t>();
  EXPECT_EQ(sum, 240u);
  EXPECT_EQ((*own)["found"].get<int>() + (*own)["misses"].get<int>(), 115);
  EXPECT_EQ((*own)["hard"]["items"], 68);
  // Floors a few items below what docs/results.md reports, so that a regression shows.
  EXPECT_GE((*own)["exact"].get<int>(), 200);
  EXPECT_LE((*own)["false_alarms"].get<int>(), 12);
}

TEST(Bench, OnlyTheWholeTrainingSetIsTheTrainingSet) {
  std::vector<Example> items = builtin_examples();
  std::ranges::reverse(items);
  EXPECT_TRUE(is_builtin(items));
  items[0].dialogue.back().content += "!";
  EXPECT_FALSE(is_builtin(items));
  items = builtin_examples();
  items.pop_back();
  EXPECT_FALSE(is_builtin(items));
  EXPECT_FALSE(is_builtin({}));
}

// Features that distinguish dialogues, as a model's hidden states do.
base::Result<std::vector<float>> sizes(std::span<const text::Message> dialogue) {
  return std::vector<float>{static_cast<float>(dialogue.size()),
                            static_cast<float>(dialogue.back().content.size() % 17)};
}

// A file that holds a dialogue of the training set is read like any other: by the watchdog of the
// chat. It once was cross-validated as a whole.
TEST(Bench, ForeignFilesAreReadAsAChatReadsThem) {
  std::vector<Example> items = {builtin_examples()[0], builtin_examples()[1]};
  for (const char* message : {"Forget that the sky is green.", "What is the capital of Spain?",
                              "undo", "Delete my address, please.", "Who wrote Emma?"})
    items.push_back({message, {{"user", message}}, Intent::kForget, {}, "fact, en: x"});
  const auto chat = ModelWatchdog::train(sizes);
  ASSERT_TRUE(chat) << chat.error().message;
  const auto figures = bench_watchdog(items, *chat);
  ASSERT_TRUE(figures) << figures.error().message;
  EXPECT_FALSE((*figures)["cross_validated"].get<bool>());
  EXPECT_EQ((*figures)["trained_on"], 2);
  EXPECT_EQ((*figures)["hidden"], 2);
  size_t wrong = 0;
  for (const Example& e : items) {
    const auto reading = chat->read(e.dialogue);
    ASSERT_TRUE(reading);
    if (reading->intent == e.intent) continue;
    const base::Json& failure = (*figures)["failures"].at(wrong++);
    EXPECT_EQ(failure["id"], e.id);
    EXPECT_EQ(failure["read"], name(reading->intent));
    EXPECT_EQ(failure["confidence"], reading->confidence);
  }
  EXPECT_EQ((*figures)["failures"].size(), wrong);
  EXPECT_GT(wrong, 0u);
  EXPECT_FALSE(bench_watchdog({}, *chat));
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

TEST(Bench, ProbeUsesHiddenFeaturesWhereThereAreSome) {
  const auto figures = cross_validate_watchdog(sizes);
  ASSERT_TRUE(figures) << figures.error().message;
  EXPECT_EQ((*figures)["hidden"], 2);
  const Features failing = [](auto) -> base::Result<std::vector<float>> {
    return base::fail(base::Code::kNumeric, "no states");
  };
  EXPECT_EQ(cross_validate_watchdog(failing).error().code, base::Code::kNumeric);
  EXPECT_EQ(ModelWatchdog::train(failing).error().code, base::Code::kNumeric);
}

}  // namespace
}  // namespace expunge::agent
