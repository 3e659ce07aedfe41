// The table of suites, the values given to them, and a pass that runs on typed records.
#include "verify/suite.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <set>

#include "golden.h"
#include "tiny.h"
#include "tiny_vocab.h"
#include "verify/eval_log.h"
#include "verify/evaluation.h"
#include "verify/tofu.h"

namespace expunge::verify {
namespace {

using base::Json;
using ::testing::HasSubstr;

const model::ChatModel& chat_model() {
  static const model::ChatModel* random = [] {
    model::Arch c = tests::tiny_arch();
    c.vocab_size = 272;
    c.context_length = 200;
    const tests::ByteVocab bytes;
    return new model::ChatModel{"",
                                model::Model::from_weights(c, tests::random_weights(c, 3)).value(),
                                text::Tokenizer::from_gguf(bytes.vocab).value(),
                                text::ChatTemplate::compile("", "", "").value()};
  }();
  return *random;
}

TEST(SuiteTable, IsComplete) {
  std::set<std::string_view> names;
  for (const Suite* suite : suites()) {
    EXPECT_TRUE(std::filesystem::exists(
        fmt::format("{}/src/verify/suites/{}.cc", EXPUNGE_SOURCE_DIR, suite->name)))
        << suite->name;
    EXPECT_TRUE(names.insert(suite->name).second) << suite->name;
    EXPECT_FALSE(suite->what.empty() || suite->needs.empty() || suite->source.empty());
    std::set<std::string_view> options;
    for (const SuiteOption& option : suite->options) {
      EXPECT_TRUE(options.insert(option.name).second) << option.name;
      EXPECT_FALSE(option.what.empty()) << option.name;
    }
    EXPECT_TRUE(options.contains("data") && options.contains("limit")) << suite->name;
    EXPECT_EQ(find_suite(suite->name).value(), suite);
  }
  for (const char* name : {"tofu", "mcq", "ppl", "tdec"}) EXPECT_TRUE(names.contains(name));
  EXPECT_EQ(find_suite("no").error().code, base::Code::kUsage);
}

// Every option of every suite, given to every other suite.
TEST(SuiteTable, AnOptionOfAnotherSuiteIsRefused) {
  for (const Suite* owner : suites())
    for (const SuiteOption& option : owner->options)
      for (const Suite* suite : suites()) {
        const auto takes = [&](const Suite* s) {
          return std::ranges::find(s->options, option.name, &SuiteOption::name) != s->options.end();
        };
        if (takes(suite)) continue;
        const std::string name(option.name);
        const auto work = prepare(*suite, SuiteValues({{name, "1"}}));
        ASSERT_FALSE(work);
        EXPECT_EQ(work.error().code, base::Code::kUsage);
        EXPECT_THAT(work.error().message,
                    HasSubstr(fmt::format("suite {} does not take --{}", suite->name, name)));
        EXPECT_THAT(work.error().hint, HasSubstr(owner->name));
      }
}

TEST(SuiteValues, AreReadByKind) {
  const SuiteValues v({{"n", "12"}, {"odd", "1x"}, {"list", "a,b"}, {"one", "c"}}, "runs");
  EXPECT_EQ(v.number("n", 3, 1, 20).value(), 12);
  EXPECT_EQ(v.number("none", 3, 1, 20).value(), 3);
  EXPECT_THAT(v.number("n", 3, 13, 20).error().message, HasSubstr("--n is '12', expected a whole"));
  EXPECT_EQ(v.number("odd", 3, 1, 20).error().code, base::Code::kUsage);
  EXPECT_EQ(v.list("list"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(v.list("one"), std::vector<std::string>{"c"});
  EXPECT_TRUE(v.list("none").empty());
  EXPECT_EQ(v.text("none", "d"), "d");
  EXPECT_EQ(v.data(), "data/tofu");
  EXPECT_EQ(v.folder(), "runs");
}

// Options of tofu that have no effect with others.
TEST(TofuSuite, OptionsWithoutEffectAreRefused) {
  const Suite& tofu = *find_suite("tofu").value();
  const std::pair<std::map<std::string, std::string>, const char*> cases[] = {
      {{{"forget", "f"}, {"sets", "retain"}}, "--forget has no effect"},
      {{{"retain", "r"}, {"sets", "forget"}}, "--retain has no effect"},
      {{{"holdout", "h"}, {"sets", "forget"}}, "--holdout has no effect"},
      {{{"no-generation", ""}, {"max-tokens", "3"}}, "--max-tokens has no effect"},
      {{{"retain-logs", "l"}, {"retain-model", "m"}}, "--retain-model has no effect"},
      {{{"retain-model", "m"}, {"sets", "retain"}}, "--retain-model has no effect"},
      {{{"retain-logs", "m"}, {"sets", "retain"}}, "--retain-logs has no effect"},
      {{{"force", ""}}, "--force has no effect"},
      {{{"parity", "other"}}, "no parity with 'other'"},
      {{{"max-tokens", "0"}}, "--max-tokens is '0'"},
      {{{"limit", "-1"}}, "--limit is '-1'"},
      {{{"sets", "forget,other"}}, "no set 'other'"},
  };
  for (const auto& [values, message] : cases) {
    const auto work = prepare(tofu, SuiteValues(values));
    ASSERT_FALSE(work) << message;
    EXPECT_EQ(work.error().code, base::Code::kUsage) << work.error().message;
    EXPECT_THAT(work.error().message, HasSubstr(message));
  }
}

class SuitePass : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& content) const {
    tests::write_bytes(folder_ / name, content);
    return folder_ / name;
  }
  static Work work(const std::string& suite, std::map<std::string, std::string> values) {
    return prepare(*find_suite(suite).value(), SuiteValues(std::move(values))).value();
  }
  tests::TempDir folder_;
};

TEST_F(SuitePass, PplIsComputedOnceAndResumes) {
  const Work ppl = work(
      "ppl",
      {{"data", file("t.txt", std::string(300, 'a') + "b")}, {"context", "40"}, {"limit", "200"}});
  const std::string out = folder_ / "evaluation.json";
  const Evaluation first = run_evaluation(chat_model(), {"tiny", {}, out}, ppl).value();
  const Json json = to_json(first);
  EXPECT_EQ(json["summary"]["n_windows"], 5);
  EXPECT_GT(json["summary"]["ppl"].get<double>(), 1);
  EXPECT_TRUE(json["seconds"].contains("total"));
  // Stored records are taken unchanged: a mark in one changes the figure.
  Json kept = base::read_json(out).value();
  kept["records"]["windows"]["0"]["avg_loss"] = 42;
  tests::write_bytes(out, base::dump_json(kept));
  const Json again = to_json(run_evaluation(chat_model(), {"tiny", {}, out}, ppl).value());
  EXPECT_GT(again["summary"]["nll"].get<double>(), json["summary"]["nll"].get<double>() + 1);
}

TEST_F(SuitePass, McqSkipsWhatDoesNotFitAndSaysSo) {
  const std::string table =
      file("law_test.csv", "Who?,x,y,A\n" + std::string(400, 'w') + "?,x,y,B\nWhere?,x,y,B\n");
  const auto e = run_evaluation(chat_model(), {"tiny", {}, folder_ / "e.json"},
                                work("mcq", {{"data", table}}));
  ASSERT_TRUE(e) << e.error().message;
  const Json json = base::read_json(folder_ / "e.json").value();
  EXPECT_EQ(json["summary"]["n_items"], 2);
  EXPECT_EQ(json["records"]["law"].size(), 2);
  ASSERT_EQ(json["skipped"].size(), 1);
  EXPECT_EQ(json["skipped"][0]["row"], 1);
  EXPECT_EQ(json["skipped"][0]["file"], table);
}

TEST(LogEvaluation, IsKeptAndOtherQuestionsAreRefused) {
  const tests::TempDir dir;
  const auto log_of = [&](const std::string& name, const std::string& question) {
    QaRecords records;
    QaRecord r;
    r.question = question;
    r.answer = "東京です";
    r.score = {0.5, 2, {}, {}, {}, {}};
    r.paraphrased = r.score;
    r.perturbed = {AnswerScore{1.5, 2, {}, {}, {}, {}}};
    r.rougeL_recall = 0;
    records["forget"] = {r};
    tests::write_bytes(dir / name, base::dump_json(records_to_json(records)));
    return dir / name;
  };
  const std::string a = log_of("a.json", "Who?"), b = log_of("b.json", "Where?");
  LogOptions options{a, b};
  const auto refused = evaluate_log(options, dir / "evaluation.json").error();
  EXPECT_EQ(refused.code, base::Code::kConflict);
  EXPECT_THAT(refused.message, HasSubstr("forget row 0 is 'Where?', expected 'Who?'"));
  EXPECT_FALSE(std::filesystem::exists(dir / "evaluation.json"));
  options.compare = Compare::kAnyQuestions;
  const Json json = to_json(evaluate_log(options, dir / "evaluation.json").value());
  EXPECT_EQ(json["summary"]["forget_quality"], 1);
  EXPECT_THAT(json["absent"]["forget_Q_A_ROUGE"].get<std::string>(), HasSubstr("a to z"));
  // Again into the same file; another log is not written over it.
  EXPECT_TRUE(evaluate_log(options, dir / "evaluation.json"));
  EXPECT_EQ(evaluate_log({b}, dir / "evaluation.json").error().code, base::Code::kConflict);
  EXPECT_EQ(evaluate_log({a, "", {"no_such"}}, "").error().code, base::Code::kUsage);
  EXPECT_EQ(to_json(evaluate_log({a, "", {"forget_Q_A_Prob"}}, "").value())["summary"].size(), 1);
}

}  // namespace
}  // namespace expunge::verify
