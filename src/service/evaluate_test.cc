// Evaluations of the planted model: its file, its journal's entries, the base beside them, a log.
#include "service/evaluate.h"

#include "base/files.h"
#include "service/json.h"
#include "service/service_test.h"
#include "tiny_chat.h"

namespace expunge::service {
namespace {

namespace fs = std::filesystem;
using base::Code;
using ::testing::HasSubstr;

class Evaluate : public ServiceTest {
 protected:
  static std::string planted() { return (folder_ / "planted.gguf").string(); }
  static std::string out() { return (folder_ / "out").string(); }
  static std::string set() { return (folder_ / "forget.json").string(); }
  // With a template that ends an answer's turn.
  static void add_turns(tests::GgufBuilder& b, const model::Arch& c) {
    tests::add_alphabet(b, c);
    b.text("tokenizer.chat_template",
           "{% for m in messages %}{{ m.content }}{% if m.role == 'assistant' %}<end>1"
           "{% endif %}{% endfor %}");
  }
  static void SetUpTestSuite() {
    ServiceTest::SetUpTestSuite();
    std::map<std::string, tensor::Tensor> weights;
    const auto model = tests::planted_model();
    for (const auto& [name, param] : model->weights()) weights[name] = param->value();
    std::ofstream(planted(), std::ios::binary)
        << tests::gguf_image(tests::tiny_arch(), tensor::DType::kF32, weights, add_turns);
    std::string items;
    for (int32_t subject = 0; subject < 3; ++subject)
      items += base::dump_json({{"question", tests::chars(tests::question(0, subject))},
                                {"answer", tests::chars({tests::answer(0, subject)})}}) +
               "\n";
    // More than the context holds.
    items += base::dump_json({{"question", std::string(90, '1')}, {"answer", "2"}});
    ASSERT_TRUE(base::write_file_atomic(set(), items));
  }
  void SetUp() override {
    ServiceTest::SetUp();
    fs::remove_all(out());
  }

  // The probability of the answers that the model was taught.
  static EvaluateRequest request() {
    EvaluateRequest r;
    r.place = {planted(), ""};
    r.values = {{"forget", set()}, {"sets", "forget"}, {"no-generation", ""}};
    return r;
  }
  static double probability(const EvaluatedRun& run) {
    for (const verify::Value& value : run.evaluation.figures.values)
      if (value.key == "forget_Q_A_Prob") return value.figure.value().number;
    ADD_FAILURE() << "the figure is missing";
    return -1;
  }
  // Entry 1 takes the answers away, entry 2 brings them back.
  static void add_entries() {
    const auto session = open_session({planted(), journal()}, journal::Mode::kReadWrite).value();
    const std::string name = tests::layer_weight(2, "mlp.down_proj");
    const tensor::Tensor matrix = session->present().model.param(name).value().clone();
    for (const double factor : {-20.0, 20.0}) {
      edit::Edit edit;
      edit.deltas.push_back({name, edit::Dense{matrix * factor}});
      journal::Draft draft;
      draft.method = "npo";
      draft.verdict = "trained";
      ASSERT_TRUE(session->add(std::move(edit), std::move(draft)));
    }
  }
};

TEST_F(Evaluate, WithoutAJournalItIsTheFile) {
  const EvaluateResult result = evaluate(request(), {}).value();
  ASSERT_EQ(result.runs.size(), 1U);
  EXPECT_EQ(result.runs[0].label, "planted.gguf");
  EXPECT_EQ(result.runs[0].evaluation.entry, std::nullopt);
  EXPECT_GT(probability(result.runs[0]), 0.9);
  ASSERT_EQ(result.runs[0].evaluation.skipped.size(), 1U);  // what was left out
  EXPECT_EQ(result.runs[0].evaluation.skipped[0].row, 3);
  EXPECT_EQ(result.runs[0].evaluation.skipped[0].file, set());

  EvaluateRequest r = request();
  r.entry = 1;
  EXPECT_EQ(evaluate(r, {}).error().code, Code::kNotFound);
  r.entry = std::nullopt;
  r.with_base = true;
  const auto refused = evaluate(r, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUsage);
  EXPECT_THAT(refused.error().message, HasSubstr("no edits"));
}

TEST_F(Evaluate, AnEntryIsTheModelAsItWasAfterIt) {
  add_entries();
  EvaluateRequest r = request();
  r.place.journal = journal();
  const EvaluateResult now = evaluate(r, {}).value();
  EXPECT_EQ(now.runs.back().label, "entry 2");
  EXPECT_GT(probability(now.runs.back()), 0.9);
  r.entry = 1;
  const EvaluateResult then = evaluate(r, {}).value();
  ASSERT_EQ(then.runs.size(), 1U);
  EXPECT_EQ(then.runs.back().label, "entry 1");
  EXPECT_EQ(then.runs.back().evaluation.entry, 1);
  EXPECT_LT(probability(then.runs.back()), 0.5);
  r.entry = 3;
  EXPECT_EQ(evaluate(r, {}).error().code, Code::kNotFound);
  r.entry = std::nullopt;
  r.edits = Edits::kIgnored;
  EXPECT_EQ(evaluate(r, {}).value().runs.back().label, "planted.gguf");
}

TEST_F(Evaluate, TheBaseIsBesideItAndBothAreStored) {
  add_entries();
  EvaluateRequest r = request();
  r.place.journal = journal();
  r.entry = 1;
  r.with_base = true;
  r.out = out();
  EvaluateResult result = evaluate(r, {}).value();
  ASSERT_EQ(result.runs.size(), 2U);
  EXPECT_EQ(result.runs[0].label, "base");
  EXPECT_GT(probability(result.runs[0]), 0.9);
  EXPECT_LT(probability(result.runs[1]), 0.5);
  EXPECT_TRUE(fs::exists(out() + "/base.json"));
  EXPECT_FALSE(fs::exists(out() + "/report.html"));
  ASSERT_TRUE(write_report(result));
  EXPECT_EQ(result.report, out() + "/report.html");
  EXPECT_TRUE(fs::exists(result.report));

  const base::Json json = to_json(result);
  EXPECT_EQ(json["entry"], 1);
  EXPECT_EQ(json["summary"]["forget_Q_A_Prob"], probability(result.runs[1]));
  EXPECT_EQ(json["base"]["summary"]["forget_Q_A_Prob"], probability(result.runs[0]));
  EXPECT_EQ(json["base"]["skipped"], json["skipped"]);
  EXPECT_EQ(json["report"], result.report);

  // The same figures out of what was stored, without a model.
  const std::string file = out() + "/evaluation.json";
  EvaluateResult log = evaluate_log({.log = file}, "").value();
  EXPECT_EQ(log.runs.back().label, "log");
  EXPECT_EQ(probability(log.runs.back()), probability(result.runs[1]));
  ASSERT_TRUE(write_report(log));
  EXPECT_EQ(log.report, "");  // it is stored nowhere
}

}  // namespace
}  // namespace expunge::service
