// Against the rouge-score package and nltk's stemmer on texts of TOFU (tests/golden/rouge.py).
#include "verify/rouge.h"

#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "golden.h"
#include "verify/porter.h"

namespace expunge::verify {
namespace {

TEST(PorterTest, StemsAsNltk) {
  const tests::Golden golden("rouge");
  std::istringstream lines(golden.value("stems").get<std::string>());
  size_t n = 0;
  for (std::string word, stem; lines >> word >> stem; ++n)
    EXPECT_EQ(porter_stem(word), stem) << word;
  EXPECT_GT(n, 3000U);
}

TEST(PorterTest, LongRunsEndSoon) {
  const std::string ys(1'000'000, 'y');
  EXPECT_EQ(porter_stem(ys + "ing").size(), ys.size());
  EXPECT_EQ(porter_stem(""), "");
}

TEST(RougeTest, EqualsRougeScoreBitForBit) {
  const tests::Golden golden("rouge");
  const base::Json& pairs = golden.value("pairs");
  const std::vector<double> scores = golden.array<double>("scores");
  ASSERT_GT(pairs.size(), 400U);
  ASSERT_EQ(scores.size(), pairs.size() * 18);
  size_t next = 0;
  for (const base::Json& pair : pairs) {
    for (const Stemming stemming : {Stemming::kNone, Stemming::kPorter}) {
      const Words target = rouge_words(pair[0].get<std::string>(), stemming);
      const Words prediction = rouge_words(pair[1].get<std::string>(), stemming);
      for (const Rouge& r : {rouge_n(1, target, prediction), rouge_n(2, target, prediction),
                             rouge_l(target, prediction)}) {
        EXPECT_EQ(r.precision, scores[next]) << pair;
        EXPECT_EQ(r.recall, scores[next + 1]) << pair;
        EXPECT_EQ(r.f1, scores[next + 2]) << pair;
        next += 3;
      }
    }
  }
}

TEST(RougeTest, TextsThatAreNotUtf8AreSplitAtTheirBytes) {
  EXPECT_EQ(rouge_words("a\xff"
                        "b\xc4",
                        Stemming::kNone),
            (Words{"a", "b"}));
  EXPECT_EQ(rouge_words("\xe2\x84", Stemming::kPorter), Words{});
}

TEST(RougeTest, LongTextsTakeLinearMemory) {
  const Words many(20'000, "word"), few(300, "word");
  EXPECT_DOUBLE_EQ(rouge_l(many, few).precision, 1);
  EXPECT_DOUBLE_EQ(rouge_l(many, few).recall, 300.0 / 20'000);
}

}  // namespace
}  // namespace expunge::verify
