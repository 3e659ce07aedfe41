// Every metric of the table: its form, its value on records small enough for pencil and paper, and
// its error if something is missing.
#include "verify/metric.h"

#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <set>

namespace expunge::verify {
namespace {

using base::Json;
using ::testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

AnswerScore score(std::vector<double> logprobs, std::vector<bool> greedy = {}) {
  AnswerScore s;
  s.n_tokens = static_cast<int64_t>(logprobs.size());
  for (const double l : logprobs) s.avg_loss -= l / static_cast<double>(s.n_tokens);
  s.mean.assign(logprobs.size(), -2);
  s.variance.assign(logprobs.size(), 4);
  s.greedy = greedy.empty() ? std::vector<bool>(logprobs.size(), false) : std::move(greedy);
  s.logprobs = std::move(logprobs);
  return s;
}

AnswerScore mean_only(double avg_loss) {
  AnswerScore s;
  s.avg_loss = avg_loss;
  s.n_tokens = 3;
  return s;
}

QaRecord record(int64_t row, AnswerScore s, double paraphrased, std::vector<double> perturbed) {
  QaRecord r;
  r.row = row;
  r.answer = "an answer " + std::to_string(row);
  r.score = std::move(s);
  r.paraphrased = mean_only(paraphrased);
  for (const double p : perturbed) r.perturbed.push_back(mean_only(p));
  r.rougeL_recall = 0.25 * static_cast<double>(row + 1);
  return r;
}

QaRecords full() {
  QaRecords records;
  records["forget"] = {record(0, score({-1, -3, -8, -0.5}, {true, false, true, false}), 2, {1, 3}),
                       record(1, score({-2, -2, -0.1}, {true, true, true}), 1, {2, 4})};
  records["holdout"] = {record(0, score({-4, -4, -1}), 2, {2, 2}),
                        record(1, score({-1, -1, -1}), 2, {2, 2})};
  records["retain"] = {record(0, mean_only(0.5), 1, {3, 3}), record(1, mean_only(1), 3, {1, 1})};
  records["real_authors"] = {record(0, mean_only(1), 9, {1, 2})};
  records["world_facts"] = {record(3, mean_only(2), 9, {3, 3})};
  records["real_authors"][0].paraphrased.reset();
  records["world_facts"][0].paraphrased.reset();
  return records;
}

double number(const MetricInput& e, std::string_view key) {
  const auto result = figure(e, key);
  EXPECT_TRUE(result) << key << ": " << result.error().message;
  return result ? result->number : NAN;
}

std::string reason(const MetricInput& e, std::string_view key) {
  const Json absent = to_json(compute_metrics(e))["absent"];
  return absent.value(std::string(key), "not absent");
}

TEST(MetricTest, TableIsComplete) {
  std::set<std::string_view> names, keys;
  for (const Metric* metric : metrics()) {
    EXPECT_TRUE(std::filesystem::exists(
        fmt::format("{}/src/verify/metrics/{}.cc", EXPUNGE_SOURCE_DIR, metric->name)))
        << metric->name;
    EXPECT_TRUE(names.insert(metric->name).second) << metric->name;
    EXPECT_FALSE(metric->what.empty() || metric->citation.empty() || metric->keys.empty());
    for (const Key& key : metric->keys) {
      EXPECT_TRUE(keys.insert(key.name).second) << key.name;
      EXPECT_FALSE(key.sets.empty()) << key.name;
    }
  }
  for (const char* key :
       {"forget_quality", "model_utility", "forget_truth_ratio", "forget_Q_A_Prob",
        "forget_Q_A_ROUGE", "extraction_strength", "exact_memorization", "privleak", "mia_min_k"})
    EXPECT_TRUE(keys.contains(key)) << key;
  const Json listed = definitions();
  EXPECT_EQ(listed.size(), metrics().size());
  EXPECT_EQ(listed[0]["keys"][0]["sets"][0], "forget");
}

TEST(MetricTest, EveryKeyIsANumberOrAbsentWithAReason) {
  const size_t n_keys = compute_metrics({full(), full()}).values.size();
  for (const MetricInput& e :
       {MetricInput{full(), full()}, MetricInput{full(), std::nullopt},
        MetricInput{{}, QaRecords{}}, MetricInput{{{"forget", {}}}, full()}}) {
    const Json json = to_json(compute_metrics(e));
    EXPECT_EQ(json["summary"].size() + json["absent"].size(), n_keys);
    for (const Json& v : json["summary"]) EXPECT_TRUE(std::isfinite(v.get<double>()));
    for (const Json& v : json["absent"]) EXPECT_GT(v.get<std::string>().size(), 10U);
  }
  EXPECT_EQ(to_json(compute_metrics({full(), full()}))["absent"], Json::object());
  EXPECT_EQ(to_json(compute_metrics({{}, std::nullopt}))["summary"], Json::object());
  EXPECT_EQ(figure({}, "no_such").error().code, base::Code::kUsage);
}

TEST(MetricTest, ProbabilitiesAndTruthRatios) {
  const MetricInput e{full(), std::nullopt};
  EXPECT_DOUBLE_EQ(number(e, "forget_Q_A_Prob"), (std::exp(-12.5 / 4) + std::exp(-4.1 / 3)) / 2);
  EXPECT_DOUBLE_EQ(number(e, "retain_Q_A_Prob"), (std::exp(-0.5) + std::exp(-1)) / 2);
  const double p1 = std::exp(-1), p2 = std::exp(-2), p3 = std::exp(-3);
  EXPECT_DOUBLE_EQ(number(e, "ra_Q_A_Prob_normalised"), p1 / (2 * p1 + p2));
  EXPECT_DOUBLE_EQ(number(e, "wf_Q_A_Prob_normalised"), p2 / (p2 + 2 * p3));
  EXPECT_DOUBLE_EQ(number(e, "forget_Q_A_ROUGE"), 0.375);
  EXPECT_DOUBLE_EQ(number(e, "wf_Q_A_ROUGE"), 1);
  // ln R of forget 0 and -2, of retain -2 and 2; the last two against the answer itself.
  EXPECT_DOUBLE_EQ(number(e, "forget_truth_ratio"), (1 + p2) / 2);
  EXPECT_DOUBLE_EQ(number(e, "retain_Truth_Ratio"), (1 - p2) / 2);
  EXPECT_DOUBLE_EQ(number(e, "ra_Truth_Ratio"), 1 - std::exp(-0.5));
  EXPECT_DOUBLE_EQ(number(e, "wf_Truth_Ratio"), 1 - p1);
}

TEST(MetricTest, UtilityIsZeroWhereOnePartIs) {
  MetricInput e{full(), std::nullopt};
  EXPECT_GT(number(e, "model_utility"), 0.1);
  e.records["world_facts"][0].rougeL_recall = 0;
  EXPECT_EQ(number(e, "model_utility"), 0);
  e.records["world_facts"][0].rougeL_recall.reset();
  EXPECT_EQ(reason(e, "model_utility"), "world_facts row 3: has no generation");
}

// An answer repeated word for word in a script that rouge-score drops is not a score of 0.
TEST(MetricTest, RougeOfOtherScriptsIsLeftOut) {
  MetricInput e{full(), std::nullopt};
  std::vector<QaRecord>& forget = e.records["forget"];
  forget.push_back(forget[0]);
  forget[1].answer = "東京です";
  forget[1].rougeL_recall = 0;  // as a log of rouge-score has it
  forget[2].answer = "القاهرة";
  forget[2].rougeL_recall.reset();
  EXPECT_DOUBLE_EQ(number(e, "forget_Q_A_ROUGE"), 0.25);  // of row 0 alone
  const Json json = to_json(compute_metrics(e));
  EXPECT_THAT(json["left_out"]["forget_Q_A_ROUGE"].get<std::string>(),
              HasSubstr("2 of 3 records (forget row 1: the answer has no letter from a to z"));
  EXPECT_EQ(json["left_out"].size(), 1);
  // Nor is it the score of its digits alone. Signs and a few foreign letters change nothing.
  forget[1].answer = "その数は3です";
  forget[1].rougeL_recall = 1;
  EXPECT_DOUBLE_EQ(number(e, "forget_Q_A_ROUGE"), 0.25);
  EXPECT_THAT(to_json(compute_metrics(e))["left_out"]["forget_Q_A_ROUGE"].get<std::string>(),
              HasSubstr("forget row 1: 6 of the answer's 6 letters are not from a to z"));
  for (const char* latin : {"3 °", "“7” → 8 €", "Zürich", "Gdańsk, 5"}) {
    forget[1].answer = latin;
    EXPECT_DOUBLE_EQ(number(e, "forget_Q_A_ROUGE"), 0.625) << latin;
  }
  forget[1].answer = "東京です";
  forget[0].answer = "Ответ";
  EXPECT_THAT(reason(e, "forget_Q_A_ROUGE"), HasSubstr("says nothing about 3 of 3 records"));
  // Metrics computed from it report that too.
  e.records["world_facts"].push_back(e.records["world_facts"][0]);
  e.records["world_facts"][1].answer = "東京です";
  EXPECT_THAT(figure(e, "model_utility").value().left_out,
              HasSubstr("wf_Q_A_ROUGE: 1 of 2 records"));
}

TEST(MetricTest, MemorizationLeavesTheEndTokenOut) {
  MetricInput e{full(), std::nullopt};
  EXPECT_DOUBLE_EQ(number(e, "exact_memorization"), (2.0 / 3 + 1) / 2);
  EXPECT_DOUBLE_EQ(number(e, "extraction_strength"), (1.0 / 3 + 1) / 2);
  e.records["forget"][1].score.greedy = {true, false, true};
  EXPECT_DOUBLE_EQ(number(e, "extraction_strength"), (1.0 / 3 + 0) / 2);
  e.records["forget"][1].score.greedy = {true};
  EXPECT_THAT(reason(e, "extraction_strength"), HasSubstr("forget row 1: the answer is empty"));
}

TEST(MetricTest, AttackScores) {
  const QaRecords records = full();
  const QaRecord& r = records.at("forget")[0];
  // Three tokens but the end: int(3 * 0.4) = 1 of them.
  EXPECT_DOUBLE_EQ(min_k(r).value(), 8);
  EXPECT_DOUBLE_EQ(min_k_plus_plus(r).value(), 3);  // (-8 + 2) / 2
  QaRecord ten = r;
  ten.score = score({-9, -1, -2, -3, -4, -5, -6, -7, -8, -10, -99});
  EXPECT_DOUBLE_EQ(min_k(ten).value(), (10 + 9 + 8 + 7) / 4.0);
  ten.score.variance.assign(11, 0);  // at least 1e-6
  EXPECT_NEAR(min_k_plus_plus(ten).value(), 6.5 * 1000, 1e-9);
  QaRecord text = r;
  text.answer = "abcdefgh";  // 16 bytes, as Python's zlib.compress has it
  EXPECT_DOUBLE_EQ(zlib_loss(text).value(), text.score.avg_loss / 16);
  text.answer = std::string(1000, 'a');  // 17 bytes
  EXPECT_DOUBLE_EQ(zlib_loss(text).value(), text.score.avg_loss / 17);
}

TEST(MetricTest, AttacksAndPrivLeak) {
  const MetricInput e{full(), full()};
  // avg_loss: forget 3.125, 1.367; holdout 3, 1: one of four pairs has the holdout higher.
  EXPECT_DOUBLE_EQ(number(e, "mia_loss"), 0.25);
  EXPECT_DOUBLE_EQ(number(e, "mia_min_k"), 0.25);  // 8, 2 against 4, 1
  EXPECT_DOUBLE_EQ(number(e, "mia_reference"), 0.5);
  EXPECT_DOUBLE_EQ(number(e, "privleak"), 0);
  MetricInput other = e;
  other.retain->at("holdout")[1].score = score({-9, -9, -9});  // 8, 2 against 4, 9: 3 of 4
  EXPECT_DOUBLE_EQ(number(other, "privleak"), 100 * (0.75 - 0.25) / 0.25);
  EXPECT_DOUBLE_EQ(number(other, "mia_reference"), 0.25);  // 0, 0 against 0, -8
  other.retain->at("forget") = {record(0, score({-1, -1}), 2, {1})};
  EXPECT_THAT(reason(other, "privleak"), HasSubstr("own AUC is 1"));
  EXPECT_THAT(reason(other, "mia_reference"), HasSubstr("forget row 1: the retain-only model's"));
}

TEST(MetricTest, SaysWhatIsMissing) {
  MetricInput e{full(), std::nullopt};
  const char* reference =
      "needs the records of a retain-only model (--retain-model or --retain-logs)";
  EXPECT_EQ(reason(e, "forget_quality"), reference);
  EXPECT_EQ(reason(e, "forget_quality_log10"), reference);
  EXPECT_EQ(reason(e, "privleak"), reference);
  e.records.erase("holdout");
  EXPECT_EQ(reason(e, "mia_loss"), "needs records of the set 'holdout'");
  e.retain = QaRecords{};
  EXPECT_EQ(reason(e, "forget_quality"),
            "needs the retain-only model's records of the set 'forget'");
  e.retain = full();
  e.retain->at("forget")[1].paraphrased.reset();
  EXPECT_EQ(reason(e, "forget_quality"),
            "the retain-only model's records: forget row 1: has no paraphrased answer");
  e.records["forget"][0].score = mean_only(1);
  EXPECT_EQ(reason(e, "exact_memorization"), "forget row 0: needs the first choice of each token");
}

TEST(MetricTest, NumbersThatAreNotFiniteAreNamed) {
  MetricInput e{full(), full()};
  e.records["forget"][1].score.avg_loss = kInfinity;
  e.records["forget"][1].score.logprobs[0] = -kInfinity;
  e.records["retain"][0].perturbed[1].avg_loss = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(reason(e, "forget_Q_A_Prob"), "forget row 1: avg_loss is inf");
  EXPECT_EQ(reason(e, "mia_min_k"), "forget row 1: the log-prob of token 0 is -inf");
  EXPECT_THAT(reason(e, "model_utility"), HasSubstr("retain row 0: the logarithm of the truth"));
  e.records["forget"][1].score.variance[1] = NAN;
  EXPECT_THAT(reason(e, "mia_min_k_plus_plus"), HasSubstr("forget row 1"));
}

TEST(MetricTest, ACollapsedModelOverflowsNothing) {
  MetricInput e{full(), full()};
  for (QaRecord& r : e.records["forget"]) {
    r.score.avg_loss = 5000;
    r.paraphrased->avg_loss = 6000;
    for (AnswerScore& p : r.perturbed) p.avg_loss = 3000;
  }
  e.records["real_authors"][0].score.avg_loss = 5000;
  EXPECT_EQ(number(e, "forget_Q_A_Prob"), 0);
  EXPECT_EQ(number(e, "forget_truth_ratio"), 0);
  EXPECT_EQ(number(e, "ra_Q_A_Prob_normalised"), 0);
  EXPECT_EQ(number(e, "ra_Truth_Ratio"), 0);
  EXPECT_EQ(number(e, "model_utility"), 0);
  EXPECT_EQ(number(e, "forget_quality_ks"), 1);
}

}  // namespace
}  // namespace expunge::verify
