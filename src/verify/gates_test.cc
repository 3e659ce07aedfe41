// The gates on a tiny model that knows planted facts: what fails must be seen to fail.
#include "verify/gates.h"

#include <gmock/gmock.h>

#include "model/generate.h"
#include "tiny_chat.h"

namespace expunge::verify {
namespace {

using ::testing::ElementsAre;
using tests::chars;
using tests::Ids;

constexpr int64_t kLayer = 2;

class Gates : public testing::Test {
 protected:
  // Forget relation 0 of subject 0; keep other subjects, its other relations, everything else.
  static GateQuestions suite() {
    GateQuestions s;
    const std::vector<std::string> answer{chars({tests::answer(0, 0)})};
    s.exact = {{chars(tests::question(0, 0)), "", answer}};
    s.paraphrases = {{chars(tests::subject_first(0, 0)), "", answer}};
    s.probing = {{chars(tests::question(0, 0)), "", answer}};
    for (int32_t subject = 1; subject < 5; ++subject)
      s.neighbours.push_back({chars(tests::question(0, subject)), "", {}});
    for (int32_t relation = 1; relation < tests::kRelations; ++relation)
      s.same_subject.push_back({chars(tests::question(relation, 0)), "", {}});
    // One whose answer is known beside one that is compared with the model's own reply.
    s.unrelated = {{chars(tests::question(2, 7)), "", {chars({tests::answer(2, 7)})}},
                   {chars(tests::question(1, 9)), "", {}}};
    s.texts = {{tests::question(1, 5)}, {tests::subject_first(2, 4)}};
    s.bounds = {{"exact", 1},         {"paraphrases", .66},  {"probing", .5},
                {"neighbours", .75},  {"same_subject", .66}, {"unrelated", .83},
                {"perplexity", 1.05}, {"reply_nll", 3.5}};
    return s;
  }

  // down_proj of the last layer so that these prompts end as one about an unknown subject does:
  // residuals R at keys K, least squares K dW' = R.
  static edit::Edit refusing(const std::vector<std::string>& prompts) {
    std::vector<Tensor> keys, streams;
    const auto see = [&](Ids ids) {
      model::Runner runner(patient_->model);
      model::Sequence sequence;
      const model::Chunk chunk{&sequence, ids};
      Tensor key;
      const Tensor stream = runner.forward(
          {&chunk, 1},
          [&](model::Point at, int64_t layer, Tensor value) {
            if (at == model::Point::kDownInput && layer == kLayer)
              key = value.narrow(0, value.size(0) - 1, 1).clone();
            return value;
          },
          kLayer);
      keys.push_back(key);
      streams.push_back(stream.narrow(0, stream.size(0) - 1, 1));
    };
    std::vector<Tensor> wanted;
    for (const bool begun : {false, true}) {
      Ids unknown = tests::question(0, tests::kSubjects + 1);
      if (begun) unknown.push_back(tests::kI);
      see(unknown);
      const Tensor target = streams.back();
      keys.pop_back(), streams.pop_back();
      for (const std::string& p : prompts) {
        Ids ids;
        for (const char c : p) ids.push_back(c - '0');
        if (begun) ids.push_back(tests::kI);
        see(ids);
        wanted.push_back(target);
      }
    }
    const Tensor k = at::cat(keys).to(at::kDouble);
    const Tensor r = (at::cat(wanted) - at::cat(streams)).to(at::kDouble);
    edit::Edit e;
    e.deltas.push_back({model::layer_weight(kLayer, "mlp.down_proj"),
                        edit::Dense{at::linalg_pinv(k).mm(r).t().to(at::kFloat).contiguous()}});
    return e;
  }

  static model::Model edited(const edit::Edit& edit) {
    return edit::apply(patient_->model, edit).value();
  }

  static std::vector<std::string> prompts(const GateQuestions& s) {
    std::vector<std::string> all;
    for (const auto* list :
         {&s.exact, &s.paraphrases, &s.neighbours, &s.same_subject, &s.unrelated})
      for (const Question& q : *list) all.push_back(q.prompt);
    return all;
  }

  static Examiner examiner(const GateQuestions& s) {
    auto e = Examiner::prepare(*patient_, s, kLayer);
    if (!e) throw std::runtime_error(e.error().message);
    return std::move(*e);
  }
  static double value(const Report& r, std::string_view gate) { return r.find(gate)->value; }

  static const model::ChatModel* patient_;
};
const model::ChatModel* Gates::patient_ = &tests::planted_chat();

TEST_F(Gates, WithoutAnEditTheFactIsThereAndTheRestIsKept) {
  Examiner e = examiner(suite());
  for (const Report& r : {e.before().value(), e.examine(patient_->model).value()}) {
    EXPECT_FALSE(r.passed());
    EXPECT_EQ(r.n_failed(), 3);
    for (const char* gate : {"exact", "paraphrases", "probing"}) EXPECT_EQ(value(r, gate), 0);
    for (const char* gate : {"neighbours", "same_subject", "unrelated"})
      EXPECT_EQ(value(r, gate), 1);
    EXPECT_NEAR(value(r, "perplexity"), 1, 1e-5);
  }
}

TEST_F(Gates, AModelThatAlwaysRefusesFails) {
  const GateQuestions s = suite();
  Examiner e = examiner(s);
  const std::string hash = patient_->model.weights_hash();
  const Report r = e.examine(edited(refusing(prompts(s)))).value();
  EXPECT_EQ(patient_->model.weights_hash(), hash);
  EXPECT_THAT(r.find("exact")->items[0].reply, ::testing::StartsWith(chars(tests::refusal())));
  for (const char* gate : {"exact", "paraphrases", "probing"}) EXPECT_EQ(value(r, gate), 1);
  for (const char* gate : {"neighbours", "same_subject", "unrelated"}) {
    EXPECT_EQ(value(r, gate), 0) << gate;
    EXPECT_FALSE(r.find(gate)->passed());
  }
  EXPECT_FALSE(r.passed());
}

TEST_F(Gates, ForgettingTheFactAlonePasses) {
  const GateQuestions s = suite();
  Examiner e = examiner(s);
  const Report r =
      e.examine(edited(refusing({s.exact[0].prompt, s.paraphrases[0].prompt}))).value();
  EXPECT_EQ(value(r, "exact"), 1);
  EXPECT_EQ(value(r, "paraphrases"), 1);
}

TEST_F(Gates, RepliesAndStatesKnownBeforehandChangeNothing) {
  const GateQuestions plain = suite();
  GateQuestions known = plain;
  model::GenerateOptions options;
  options.max_new_tokens = kKeptTokens;
  options.trace_layer = kLayer;
  for (auto* list : {&known.neighbours, &known.same_subject, &known.unrelated})
    for (Question& q : *list) {
      if (!q.answers.empty()) continue;
      const std::vector<Ids> ids{patient_->encode_user(q.prompt).value()};
      const auto g = model::generate(patient_->model, ids, options).value()[0];
      q.reply = g.ids;
      q.reply.push_back(tests::kEnd);
      q.entering = g.trace.entering;
    }
  Examiner a = examiner(plain), b = examiner(known);
  for (const auto& edit :
       {edit::Edit{}, refusing({plain.neighbours[0].prompt}), refusing(prompts(plain))}) {
    const Report x = a.examine(edited(edit)).value(), y = b.examine(edited(edit)).value();
    for (size_t g = 0; g < x.gates.size(); ++g) {
      EXPECT_NEAR(x.gates[g].value, y.gates[g].value, 1e-5) << x.gates[g].name;
      for (size_t i = 0; i < x.gates[g].items.size(); ++i)
        EXPECT_EQ(x.gates[g].items[i].reply, y.gates[g].items[i].reply);
    }
  }
}

TEST(Reveals, ShortAnswersAreWordsLongOnesStandAnywhere) {
  EXPECT_TRUE(reveals("Its symbol is Au.", {"Au"}));
  EXPECT_FALSE(reveals("In August", {"Au"}));
  EXPECT_FALSE(reveals("the au pair", {"Au"}));
  EXPECT_TRUE(reveals("the Japanese Yen (JPY)", {"yen"}));
  EXPECT_FALSE(reveals("an Ayenda", {"yen"}));
  EXPECT_TRUE(reveals("it is PARIS", {"Paris"}));
  EXPECT_TRUE(reveals("Parisian", {"Paris"}));
  EXPECT_FALSE(reveals("Paris", {""}));
  EXPECT_TRUE(reveals("the 7th", {"x", "7th"}));
}

}  // namespace
}  // namespace expunge::verify
