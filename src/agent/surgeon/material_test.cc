// What becomes of a surgeon's replies, and the grammar that they follow.
#include "agent/surgeon/material.h"

#include <gmock/gmock.h>

#include <cmath>

#include "agent/surgeon/form.h"

namespace expunge::agent {
namespace {

using testing::ElementsAre;

// Says a line for what is wanted; drawn replies differ from greedy ones.
class Talker final : public LanguageModel {
 public:
  base::Result<std::vector<std::string>> write(const std::string& prompt,
                                               std::span<const Order> orders,
                                               const base::Job&) const override {
    prompt_ = prompt;
    std::vector<std::string> replies;
    for (const Order& o : orders) {
      const std::string draw = o.temperature == 0 ? "" : fmt::format(" ({})", o.seed);
      replies.push_back(o.begun == "N"   ? "N Of Peru?\nN Of the France?\nN Of Kenya?" + draw
                        : o.begun == "S" ? "S How big is it?\nS Is it in Paris?"
                                         : o.begun + " Wording " + o.begun + draw + "?");
    }
    return replies;
  }
  size_t context() const override { return 8192; }
  mutable std::string prompt_;
};

TEST(ModelSurgeon, SortsWhatItWrote) {
  const Talker talker;
  const auto m = ModelSurgeon(talker).write("Capital of  France?", "Paris", {});
  ASSERT_TRUE(m) << m.error().message;
  EXPECT_EQ(talker.prompt_, "surgeon\nCapital of France?\nParis");
  EXPECT_THAT(m->wordings,
              ElementsAre("Wording 1?", "Wording 2?", "Wording 3?", "Wording 4?", "Wording 1 (1)?",
                          "Wording 2 (1)?", "Wording 3 (1)?", "Wording 4 (1)?", "Wording 1 (2)?",
                          "Wording 2 (2)?", "Wording 3 (2)?", "Wording 4 (2)?"));
  EXPECT_THAT(m->typed, ElementsAre("Wording 5?", "Wording 5 (1)?", "Wording 5 (2)?"));
  EXPECT_THAT(m->completions, ElementsAre("Wording 6?", "Wording 6 (1)?", "Wording 6 (2)?"));
  // "Of France?" would be the same question.
  EXPECT_THAT(m->neighbours,
              ElementsAre("Of Peru?", "Of Kenya?", "Of Kenya? (1)", "Of Kenya? (2)"));
  // What gives the answer away is dropped.
  EXPECT_THAT(m->same_subject, ElementsAre("How big is it?"));
}

TEST(SurgeonGrammar, LinesBeginWithTheLetter) {
  std::vector<std::string> bytes = {""};
  for (int c = 1; c < 256; ++c) bytes.emplace_back(1, static_cast<char>(c));
  const Vocabulary vocabulary(std::move(bytes), {0});
  const auto allowed = [&](Wanted wanted, std::string_view written) {
    std::vector<float> logits(vocabulary.size(), 0);
    Choice choice(vocabulary, logits);
    SurgeonGrammar(wanted).constrain(written, choice);
    std::vector<int> ids;
    for (size_t i = 0; i < logits.size(); ++i)
      if (std::isfinite(logits[i])) ids.push_back(static_cast<int>(i));
    return ids;
  };
  using testing::Contains;
  using testing::Not;
  EXPECT_THAT(allowed(Wanted::kNeighbours, "N"), ElementsAre(' '));
  EXPECT_THAT(allowed(Wanted::kNeighbours, "N "), Not(Contains(0)));
  EXPECT_THAT(allowed(Wanted::kNeighbours, "N Who?"), testing::IsSupersetOf({0, int('\n')}));
  EXPECT_THAT(allowed(Wanted::kNeighbours, "N Who?\n"), ElementsAre('N'));
  EXPECT_THAT(allowed(Wanted::kTyped, "5 who"), Contains(0));
  EXPECT_THAT(allowed(Wanted::kTyped, "5 who"), Not(Contains('\n')));
  const std::string full = "N a\nN b\nN c\nN d\nN e\nN f";
  EXPECT_THAT(allowed(Wanted::kNeighbours, full), Not(Contains('\n')));
  EXPECT_THAT(allowed(Wanted::kTyped, "5 " + std::string(400, 'x')), ElementsAre(0));
}

}  // namespace
}  // namespace expunge::agent
