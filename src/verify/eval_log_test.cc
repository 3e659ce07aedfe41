// Logs of the TOFU benchmark give its published numbers; our own form is lossless;
// both refuse what is malformed, by name.
#include "verify/eval_log.h"

#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <limits>

#include "golden.h"
#include "verify/metric.h"

namespace expunge::verify {
namespace {

using base::Json;
using ::testing::HasSubstr;

// A reduced log in the shape of the original: columns become objects by row, losses float32.
Json tofu_log(const std::string& stem) {
  const std::string path = EXPUNGE_SOURCE_DIR "/tests/data/tofu_logs/" + stem + ".json";
  Json log = base::read_json(path).value();
  const std::function<Json(const Json&)> widened = [&](const Json& j) -> Json {
    if (j.is_number()) return static_cast<double>(j.get<float>());
    Json list = Json::array();
    for (const Json& item : j) list.push_back(widened(item));
    return list;
  };
  for (auto& section : log) {
    for (const auto& [key, column] : section.items()) {
      Json rows = Json::object();
      auto& pairs = rows.get_ref<Json::object_t&>();
      for (size_t i = 0; i < column.size(); ++i)
        pairs.push_back(
            {std::to_string(i), key.ends_with("loss") ? widened(column[i]) : column[i]});
      section[key] = std::move(rows);
    }
  }
  return log;
}

QaRecords records(const std::string& stem) {
  return records_from_tofu_log(tofu_log(stem), stem).value();
}

constexpr std::array kKeys = {"model_utility",      "retain_Q_A_Prob",        "retain_Q_A_ROUGE",
                              "retain_Truth_Ratio", "ra_Q_A_Prob_normalised", "ra_Q_A_ROUGE",
                              "ra_Truth_Ratio",     "wf_Q_A_Prob_normalised", "wf_Q_A_ROUGE",
                              "wf_Truth_Ratio",     "forget_Q_A_Prob",        "forget_Q_A_ROUGE",
                              "forget_truth_ratio"};

TEST(TofuLogTest, GivesThePublishedTable) {
  const std::map<std::string, std::vector<double>> table = {
      {"phi_full",
       {.5221, .9261, .9293, .4827, .3774, .4157, .4560, .4090, .7774, .4923, .9282, .9249, .4834}},
      {"phi_retain90",
       {.5320, .9231, .9200, .4847, .3842, .4753, .4638, .4081, .7557, .4883, .1349, .4279, .6288}},
      {"phi_retain95",
       {.5250, .9255, .9160, .4805, .3829, .4157, .4652, .4132, .7660, .5005, .1367, .4285, .6269}},
      {"phi_retain99",
       {.5186, .9284, .9316, .4842, .3689, .4473, .4402, .3989, .7500, .4808, .1711, .4378,
        .6446}}};
  for (const auto& [stem, row] : table) {
    const MetricInput e{records(stem), std::nullopt};
    for (size_t i = 0; i < kKeys.size(); ++i)
      EXPECT_NEAR(figure(e, kKeys[i]).value().number, row[i], 5.1e-5) << stem << " " << kKeys[i];
  }
}

TEST(TofuLogTest, GivesThePublishedForgetQuality) {
  const MetricInput e{records("phi_full"), records("phi_retain90")};
  EXPECT_EQ(e.records.at("forget").size(), 300U);
  EXPECT_EQ(e.retain->at("forget").size(), 300U);
  EXPECT_NEAR(figure(e, "forget_quality_ks").value().number, 0.3467, 5e-5);
  EXPECT_NEAR(figure(e, "forget_quality").value().number, 2.19e-16, 5e-19);
  EXPECT_NEAR(figure(e, "forget_quality_log10").value().number, std::log10(2.19e-16), 1e-3);
  const MetricInput same{records("phi_full"), records("phi_full")};
  EXPECT_EQ(figure(same, "forget_quality").value().number, 1);
}

TEST(TofuLogTest, ReadsTextsWhereTheLogHasThem) {
  const tests::TempDir dir;
  Json log = tofu_log("phi_retain99");
  for (auto& section : log) {
    Json texts = section["avg_gt_loss"];
    for (Json& text : texts) text = {"Question: a?\n", "Answer: b", "c"};
    section["generated_text"] = std::move(texts);
  }
  tests::write_bytes(dir / "log.json", base::dump_json(log));
  const QaRecords read = read_log(dir / "log.json").value().records;
  const QaRecord& r = read.at("world_facts").back();
  EXPECT_EQ(r.question, "Question: a?\n");
  EXPECT_EQ(r.generation, "Answer: b");
  EXPECT_EQ(r.answer, "c");
  EXPECT_EQ(r.row, 116);
  EXPECT_EQ(r.perturbed.size(), 3U);
  EXPECT_EQ(r.paraphrased.value().n_tokens, r.score.n_tokens);
  EXPECT_FALSE(r.rougeL_f1);
}

Json small_log() {
  const auto column = [](const Json& v) { return Json{{"0", v}, {"1", v}}; };
  const Json section = {{"avg_gt_loss", column(0.5)},
                        {"num_token_gt", column(4)},
                        {"average_perturb_loss", column({1.5, 2.5})},
                        {"num_token_perturb", column({3, 4})},
                        {"avg_paraphrased_loss", column(1)},
                        {"num_token_paraphrased", column(5)},
                        {"rouge1_recall", column(1.0)},
                        {"rougeL_recall", column(0.25)}};
  Json log;
  for (const char* name : {"eval_log.json", "eval_real_author_wo_options.json",
                           "eval_real_world_wo_options.json", "eval_log_forget.json"})
    log[name] = section;
  return log;
}

TEST(TofuLogTest, NamesWhatIsMalformed) {
  ASSERT_TRUE(records_from_tofu_log(small_log(), "f"));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::tuple<const char*, Json, const char*> cases[] = {
      {"", Json::array(), "f: expected an object, got []"},
      {"", nullptr, "f: expected an object"},
      {"/eval_log.json", 3, "f: eval_log.json: expected an object, got 3"},
      {"/eval_log_forget.json/avg_gt_loss/1", "x",
       "avg_gt_loss: row 1: expected a number, got \"x\""},
      {"/eval_log_forget.json/avg_gt_loss/1", nan, "row 1: expected a number, got null"},
      {"/eval_log_forget.json/avg_gt_loss", Json::object(), "avg_gt_loss: expected rows, got {}"},
      {"/eval_log_forget.json/avg_gt_loss", {{"0", 1}, {"x", 1}}, "expected a row number"},
      {"/eval_log_forget.json/avg_gt_loss", {{"0", 1}, {"01", 1}}, "expected a row number"},
      {"/eval_log_forget.json/num_token_gt", {{"1", 1}, {"0", 1}}, "expected row 0 in its turn"},
      {"/eval_log_forget.json/num_token_gt/0", 0, "expected a whole number > 0, got 0"},
      {"/eval_log_forget.json/num_token_gt/0", 1e30, "expected a whole number"},
      {"/eval_log_forget.json/average_perturb_loss/0", 1, "expected a list, got 1"},
      {"/eval_log_forget.json/average_perturb_loss/0", {1}, "expected a list of 1 items"},
      {"/eval_log_forget.json/average_perturb_loss/0", {1, true}, "expected a number, got true"},
      {"/eval_log.json/rouge1_recall/0", 1.5, "expected a number in [0, 1], got 1.5"},
      {"/eval_log.json/generated_text", {{"0", {"a", "b"}}, {"1", 0}}, "[prompt, generation"},
      {"/eval_log.json/generated_text", {{"0", {"a", 1, "b"}}, {"1", 0}}, "expected a text, got 1"},
  };
  for (const auto& [pointer, patch, message] : cases) {
    Json log = small_log();
    log[Json::json_pointer(pointer)] = patch;
    const auto read = records_from_tofu_log(log, "f");
    ASSERT_FALSE(read) << message;
    EXPECT_EQ(read.error().code, base::Code::kInvalid);
    EXPECT_THAT(read.error().message, HasSubstr(message));
  }
  for (const char* section : {"eval_log.json", "eval_log_forget.json"}) {
    const Json whole = small_log();
    for (const auto& [key, column] : whole[section].items()) {
      Json log = small_log();
      log[section].erase(key);
      EXPECT_THAT(records_from_tofu_log(log, "f").error().message,
                  HasSubstr(fmt::format("f: {}: '{}' is missing", section, key)));
    }
  }
}

QaRecords sample() {
  AnswerScore full{0.1 + 0.2,      3, {-1e-300, -0.1, -5}, {true, false, true}, {-1, -2, -3},
                   {1.0 / 3, 0, 7}};
  AnswerScore plain{1e300, 2, {}, {}, {}, {}};
  QaRecord a{7, "q \"é\"\n", "a", full, full, {plain, full}, "gen", 0.5, 1.0 / 3, 0.1};
  QaRecord b{8, "", "", plain, std::nullopt, {}, std::nullopt, {}, {}, {}};
  return {{"forget", {a, b}}, {"holdout", {b}}};
}

void expect_equal(const AnswerScore& a, const AnswerScore& b) {
  EXPECT_EQ(std::tie(a.avg_loss, a.n_tokens, a.logprobs, a.greedy, a.mean, a.variance),
            std::tie(b.avg_loss, b.n_tokens, b.logprobs, b.greedy, b.mean, b.variance));
}

TEST(RecordsJsonTest, RoundTripIsLossless) {
  const tests::TempDir dir;
  const QaRecords given = sample();
  tests::write_bytes(dir / "records.json", base::dump_json(records_to_json(given), 1));
  const QaRecords read = read_log(dir / "records.json").value().records;
  ASSERT_EQ(read.size(), given.size());
  for (const auto& [set, items] : given) {
    ASSERT_EQ(read.at(set).size(), items.size());
    for (size_t i = 0; i < items.size(); ++i) {
      const QaRecord &a = items[i], &b = read.at(set)[i];
      EXPECT_EQ(std::tie(a.row, a.question, a.answer, a.generation, a.rouge1_recall,
                         a.rougeL_recall, a.rougeL_f1),
                std::tie(b.row, b.question, b.answer, b.generation, b.rouge1_recall,
                         b.rougeL_recall, b.rougeL_f1));
      expect_equal(a.score, b.score);
      ASSERT_EQ(a.paraphrased.has_value(), b.paraphrased.has_value());
      if (a.paraphrased) expect_equal(*a.paraphrased, *b.paraphrased);
      ASSERT_EQ(a.perturbed.size(), b.perturbed.size());
      for (size_t j = 0; j < a.perturbed.size(); ++j) expect_equal(a.perturbed[j], b.perturbed[j]);
    }
  }
  const Json json = records_to_json(records("phi_full"));
  EXPECT_DOUBLE_EQ(json["forget"]["0"]["prob"].get<double>(), std::exp(-0.04709002375602722));
  EXPECT_NEAR(json["forget"]["0"]["truth_ratio"].get<double>(), 0.11226536333560944, 1e-7);
  EXPECT_NEAR(json["real_authors"]["0"]["truth_ratio"].get<double>(), 0.44888749718666077, 1e-6);
}

TEST(RecordsJsonTest, NamesWhatIsMalformed) {
  const std::tuple<const char*, Json, const char*> cases[] = {
      {"", Json::object(), "f: no records"},
      {"", "text", "f: expected an object"},
      {"/forget", 1, "f: forget: expected an object, got 1"},
      {"/forget/-1", 1, "f: forget: expected a row number as key, got \"-1\""},
      {"/forget/99999999999999999999", 1, "expected a row number"},
      {"/forget/7", nullptr, "f: forget: row 7: expected an object, got null"},
      {"/forget/7/avg_loss", nullptr, "f: forget: row 7: avg_loss: expected a number, got null"},
      {"/forget/7/n_tokens", 2.5, "n_tokens: expected a whole number > 0, got 2.5"},
      {"/forget/7/n_tokens", 4, "logprobs: expected a list of n_tokens = 4 items"},
      {"/forget/7/logprobs", {1, 2}, "logprobs: expected a list of n_tokens = 3 items"},
      {"/forget/7/logprobs/1", "a", "logprobs: expected a number"},
      {"/forget/7/greedy/0", 1, "greedy: expected true or false, got 1"},
      {"/forget/7/greedy", {true}, "greedy: expected a list of n_tokens = 3"},
      {"/forget/7/question", 1, "question: expected a text"},
      {"/forget/7/generation", nullptr, "generation: expected a text"},
      {"/forget/7/rougel_recall", 1, "unknown key 'rougel_recall'"},
      {"/forget/7/rougeL_f1", -0.5, "rougeL_f1: expected a number in [0, 1]"},
      {"/forget/7/paraphrased", Json::array(), "paraphrased: expected an object"},
      {"/forget/7/perturbed", 0, "perturbed: expected a list, got 0"},
      {"/forget/7/perturbed/0/answer", "x", "perturbed: unknown key 'answer'"},
  };
  for (const auto& [pointer, patch, message] : cases) {
    Json json = records_to_json(sample());
    json[Json::json_pointer(pointer)] = patch;
    const auto read = records_from_json(json, "f");
    ASSERT_FALSE(read) << message;
    EXPECT_EQ(read.error().code, base::Code::kInvalid);
    EXPECT_THAT(read.error().message, HasSubstr(message));
  }
  for (const char* key : {"avg_loss", "question", "answer"}) {
    Json json = records_to_json(sample());
    json["forget"]["7"].erase(key);
    EXPECT_THAT(records_from_json(json, "f").error().message,
                HasSubstr(fmt::format("f: forget: row 7: '{}' is missing", key)));
  }
}

// What open-unlearning's TOFU suite writes, cut down to two rows.
Json open_unlearning_log() {
  const auto metric = [](const Json& first, const Json& second) {
    return Json{{"agg_value", 0.5}, {"value_by_index", {{"1", second}, {"0", first}}}};
  };
  const Json loss = {{"prob", 0.6}, {"avg_loss", 0.5}};
  const Json wrong = {{"prob", {0.2, 0.1}}, {"avg_loss", {1.5, 2.5}}};
  const Json rouge = {{"rouge1_recall", 1.0},       {"rougeL_f1", 0.5},
                      {"rougeL_recall", 0.25},      {"input", "user\nWho?\nassistant\n"},
                      {"ground_truth", "A writer"}, {"generation", "A painter"}};
  return {{"forget_Q_A_Prob", metric(loss, {{"prob", 0.1}, {"avg_loss", 2}})},
          {"forget_Q_A_PARA_Prob", metric(loss, {{"prob", {0.6}}, {"avg_loss", {1}}})},
          {"forget_Q_A_PERT_Prob", metric(wrong, wrong)},
          {"forget_Q_A_ROUGE", metric(rouge, rouge)},
          {"ra_Q_A_Prob", metric(loss, loss)},
          {"ra_Q_A_PERT_Prob", metric(wrong, wrong)},
          {"privleak", {{"agg_value", -20}}}};
}

TEST(OpenUnlearningLogTest, GivesItsFigures) {
  const tests::TempDir dir;
  tests::write_bytes(dir / "TOFU_EVAL.json", base::dump_json(open_unlearning_log()));
  const MetricInput e{read_log(dir / "TOFU_EVAL.json").value().records, std::nullopt};
  ASSERT_EQ(e.records.size(), 2U);
  const QaRecord& r = e.records.at("forget")[0];
  EXPECT_EQ(std::tie(r.row, r.question, r.answer),
            std::make_tuple(0, "user\nWho?\nassistant\n", "A writer"));
  EXPECT_EQ(r.generation, "A painter");
  EXPECT_EQ(r.rougeL_f1, 0.5);
  EXPECT_DOUBLE_EQ(figure(e, "forget_Q_A_Prob").value().number,
                   (std::exp(-0.5) + std::exp(-2.0)) / 2);
  EXPECT_DOUBLE_EQ(figure(e, "forget_Q_A_ROUGE").value().number, 0.25);
  // ln R = 0.5 - 2 and 1 - 2: the paraphrase against the geometric mean of the wrong ones.
  EXPECT_DOUBLE_EQ(figure(e, "forget_truth_ratio").value().number,
                   (std::exp(-1.5) + std::exp(-1.0)) / 2);
  EXPECT_DOUBLE_EQ(figure(e, "ra_Truth_Ratio").value().number, 1 - std::exp(-1.5));
  // Its records can be written in our own form and come back.
  const Json ours = records_to_json(e.records);
  EXPECT_EQ(records_to_json(records_from_json(ours, "f").value()), ours);
}

TEST(OpenUnlearningLogTest, NamesWhatIsMalformed) {
  const std::tuple<const char*, Json, const char*> cases[] = {
      {"/forget_Q_A_Prob/value_by_index/1", nullptr, "forget_Q_A_Prob: row 1: expected an object"},
      {"/forget_Q_A_Prob/value_by_index/1/avg_loss", nullptr, "row 1: avg_loss: expected a number"},
      {"/forget_Q_A_Prob/value_by_index/1/avg_loss", {1, 2}, "expected one number"},
      {"/forget_Q_A_Prob/value_by_index", 3, "value_by_index: expected an object, got 3"},
      {"/forget_Q_A_PERT_Prob/value_by_index/7", 3, "forget_Q_A_PERT_Prob: expected 2 rows"},
      {"/forget_Q_A_ROUGE/value_by_index/0/input", 3, "input: expected a text, got 3"},
      {"/forget_Q_A_ROUGE/value_by_index/0/rougeL_f1", 3, "a number in [0, 1]"}};
  for (const auto& [pointer, patch, message] : cases) {
    Json log = open_unlearning_log();
    log[Json::json_pointer(pointer)] = patch;
    const auto read = records_from_open_unlearning_log(log, "f");
    ASSERT_FALSE(read) << message;
    EXPECT_THAT(read.error().message, HasSubstr(message));
  }
  Json summary = {{"privleak", {{"agg_value", 1}, {"value_by_index", Json::object()}}}};
  ASSERT_TRUE(is_open_unlearning_log(summary));
  EXPECT_THAT(records_from_open_unlearning_log(summary, "f").error().hint,
              HasSubstr("--parity open-unlearning"));
}

TEST(RecordsJsonTest, FilesThatAreNoJsonAreNamed) {
  const tests::TempDir dir;
  for (const char* text : {"", "{\"forget\": {\"0\": {\"avg_loss\": NaN}}}", "{"}) {
    tests::write_bytes(dir / "bad.json", text);
    EXPECT_THAT(read_log(dir / "bad.json").error().message, HasSubstr("bad.json"));
  }
  EXPECT_EQ(read_log(dir / "none.json").error().code, base::Code::kNotFound);
}

TEST(RecordsJsonTest, ALossThatIsNotFiniteCannotBeReadBack) {
  QaRecords given = sample();
  given["forget"][0].score.avg_loss = std::numeric_limits<double>::infinity();
  const Json json = base::parse_json(base::dump_json(records_to_json(given)), "f").value();
  EXPECT_THAT(records_from_json(json, "f").error().message,
              HasSubstr("row 7: avg_loss: expected a number, got null"));
}

}  // namespace
}  // namespace expunge::verify
