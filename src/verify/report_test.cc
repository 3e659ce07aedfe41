// When a report passes, and how several are joined.
#include "verify/report.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace expunge::verify {
namespace {

using ::testing::HasSubstr;

GateResult share(const char* name, Section section, std::vector<bool> good) {
  GateResult g{.name = name, .section = section, .bound = 0.5};
  for (const bool b : good) g.items.push_back({"q", "", "r", b});
  if (good.empty())
    g.absent = "no questions of this kind";
  else
    g.value =
        static_cast<double>(std::ranges::count(good, true)) / static_cast<double>(good.size());
  return g;
}

TEST(Report, PassesOnWhatWasAskedOnly) {
  Report r;
  EXPECT_FALSE(r.passed());
  r.gates = {share("exact", Section::kForgotten, {}), share("unrelated", Section::kKept, {true})};
  EXPECT_EQ(r.n_failed(), 0);
  EXPECT_FALSE(r.passed());
  EXPECT_THAT(r.undecided(), HasSubstr("forgotten"));
  r.gates = {share("exact", Section::kForgotten, {true}), share("unrelated", Section::kKept, {})};
  EXPECT_FALSE(r.passed());
  EXPECT_THAT(r.undecided(), HasSubstr("kept"));
  r.gates.push_back(share("neighbours", Section::kKept, {true}));
  EXPECT_TRUE(r.passed());
  r.gates.push_back(share("probing", Section::kForgotten, {false}));
  EXPECT_FALSE(r.passed());
}

TEST(Report, OfSeveralTargetsItemsComeTogetherAndTheWorstRatioCounts) {
  const auto one = [](std::vector<bool> good, double ratio) {
    GateResult perplexity{.name = "perplexity", .section = Section::kLanguage};
    perplexity.sense = Sense::kAtMost;
    perplexity.value = ratio;
    perplexity.bound = 1.05;
    return Report{{share("exact", Section::kForgotten, std::move(good)), perplexity}};
  };
  const Report all = merged({one({true}, 1.01), one({}, 1.2), one({false, false}, 1.0)});
  EXPECT_EQ(all.find("exact")->items.size(), 3);
  EXPECT_NEAR(all.find("exact")->value, 1 / 3.0, 1e-12);
  EXPECT_EQ(all.find("perplexity")->value, 1.2);
  EXPECT_EQ(merged({one({}, 1), one({true}, 1)}).find("exact")->value, 1);
}

TEST(Report, IsWrittenWithItsFiguresAndReasons) {
  const Report r{
      {share("exact", Section::kForgotten, {true, false}), share("unrelated", Section::kKept, {})}};
  const base::Json json = to_json(r, Detail::kItems);
  EXPECT_EQ(json["passed"], false);
  EXPECT_EQ(json["gates"][0]["value"], 0.5);
  EXPECT_EQ(json["gates"][0]["n"], 2);
  EXPECT_EQ(json["gates"][0]["items"][1]["good"], false);
  EXPECT_EQ(json["gates"][1]["absent"], "no questions of this kind");
  EXPECT_FALSE(json["gates"][1].contains("value"));
  EXPECT_FALSE(to_json(r, Detail::kFigures)["gates"][0].contains("items"));
}

}  // namespace
}  // namespace expunge::verify
