// The gates on a tiny model that knows planted facts: every gate must be able to fail.
#include "verify/gate_run.h"

#include <gmock/gmock.h>

#include "model/generate.h"
#include "tiny_chat.h"
#include "verify/base_replies.h"

namespace expunge::verify {
namespace {

using tests::chars;
using tests::Ids;

constexpr int64_t kLayer = 2;  // the last one
constexpr int32_t kSubject = 5;
constexpr double kRefusalNll = 8;
constexpr int kMany = 4000;
constexpr double kDeadline_s = 0.01;

// A prompt that is to continue as another one does.
struct Steer {
  Ids from, like;
};
using Steers = std::vector<Steer>;

Ids joined(Ids ids, const Ids& more) {
  ids.insert(ids.end(), more.begin(), more.end());
  return ids;
}

class Gates : public testing::Test {
 protected:
  // Forget relation 0 of one subject; keep other subjects, its other relations, everything else.
  static GateQuestions questions() {
    GateQuestions q;
    const std::vector<std::string> answer{chars({tests::answer(0, kSubject)})};
    q.exact = {{chars(tests::question(0, kSubject)), "", answer}};
    q.paraphrases = {{chars(tests::subject_first(0, kSubject)), "", answer}};
    for (int32_t subject = 6; subject < 9; ++subject)
      q.neighbours.push_back({chars(tests::question(0, subject)), "", {}});
    for (int32_t relation = 1; relation < tests::kRelations; ++relation)
      q.same_subject.push_back({chars(tests::question(relation, kSubject)), "", {}});
    // One with a known answer and one that is compared with the model's own reply.
    q.unrelated = {{chars(tests::question(2, 1)), "", {chars({tests::answer(2, 1)})}},
                   {chars(tests::question(1, 9)), "", {}}};
    q.texts = {{{50, 51, 52, 53}}};
    q.layer = kLayer;
    q.bounds["reply_nll"] = kRefusalNll;
    return q;
  }
  static Ids encode(const Question& q) {
    const text::Message message{"user", q.prompt};
    return chat_->encode({&message, 1}, q.prefill).value();
  }
  // "I dunno", and the end.
  static void refuse(const Ids& prompt, Steers& steers) {
    const Ids unknown = tests::question(0, tests::kSubjects + 1), known = tests::question(0, 1);
    steers.push_back({prompt, unknown});
    steers.push_back({joined(prompt, {tests::kI}), joined(unknown, {tests::kI})});
    steers.push_back({joined(prompt, tests::refusal()), joined(known, {tests::answer(0, 1)})});
  }
  static void refuse(const std::vector<Question>& list, Steers& steers) {
    for (const Question& q : list) refuse(encode(q), steers);
  }
  // The token of `like`'s answer, and the end.
  static void answer(const Ids& prompt, int32_t relation, int32_t subject, Steers& steers) {
    const Ids like = tests::question(relation, subject), reply{tests::answer(relation, subject)};
    steers.push_back({prompt, like});
    steers.push_back({joined(prompt, reply), joined(like, reply)});
  }
  static void keep(const Ids& prompt, Steers& steers) { steers.push_back({prompt, prompt}); }
  // The base model's replies to the questions are unchanged.
  static void keep(const std::vector<Question>& list, Steers& steers) {
    for (const Question& q : list) {
      const std::vector<Ids> prompt{encode(q)};
      model::GenerateOptions options;
      options.max_new_tokens = 1;
      keep(prompt[0], steers);
      keep(joined(prompt[0], model::generate(chat_->model, prompt, options).value()[0].ids),
           steers);
    }
  }
  static void keep(const std::vector<Text>& texts, Steers& steers) {
    for (const Text& t : texts)
      for (size_t n = 1; n < t.ids.size(); ++n) keep(Ids(t.ids.begin(), t.ids.begin() + n), steers);
  }

  // down_proj of the last layer such that each prompt's last token leaves it as the other's does:
  // residuals R at keys K, least squares K dW' = R.
  static model::Model edited(const Steers& steers) {
    const auto last = [](const Ids& ids) {
      model::Runner runner(chat_->model);
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
      return std::pair(key, stream.narrow(0, stream.size(0) - 1, 1));
    };
    std::vector<Tensor> keys, residuals;
    for (const Steer& s : steers) {
      const auto [key, stream] = last(s.from);
      keys.push_back(key);
      residuals.push_back(last(s.like).second - stream);
    }
    const Tensor k = at::cat(keys).to(at::kDouble), r = at::cat(residuals).to(at::kDouble);
    edit::Edit e;
    e.deltas.push_back({tests::layer_weight(kLayer, "mlp.down_proj"),
                        edit::Dense{at::linalg_pinv(k).mm(r).t().to(at::kFloat).contiguous()}});
    return edit::apply(chat_->model, e).value();
  }

  // All that is to be forgotten is refused, and the rest is answered.
  static Steers forgetting(const GateQuestions& given, const Gate* but = nullptr) {
    Steers steers;
    for (const Gate* gate : gates()) {
      if (!gate->questions || gate == but) continue;
      const auto asked = gate->questions(given);
      gate->section == Section::kForgotten ? refuse(asked, steers) : keep(asked, steers);
    }
    if (!but || but->name != "perplexity") keep(given.texts, steers);
    return steers;
  }
  // The same, but for one gate.
  static Steers failing(const GateQuestions& given, const Gate& gate) {
    Steers steers = forgetting(given, gate.questions ? &gate : find_gate("perplexity"));
    if (gate.questions) {
      for (const Question& q : gate.questions(given))
        gate.section == Section::kKept ? refuse(encode(q), steers)
                                       : answer(encode(q), 0, kSubject, steers);
    } else if (gate.name == "perplexity") {
      for (size_t n = 1; n < given.texts[0].ids.size(); ++n)
        steers.push_back({Ids(given.texts[0].ids.begin(), given.texts[0].ids.begin() + n),
                          tests::question(0, 1)});
    } else {  // an answer that the base model finds most unlikely, though it reveals nothing
      steers = forgetting(given, find_gate("exact"));
      answer(encode(given.exact[0]), 1, 9, steers);
    }
    return steers;
  }

  static GateRun prepared(const GateQuestions& given) {
    auto run = GateRun::prepare(*chat_, given);
    CHECK(run.has_value(), "{}", run.error().message);
    return std::move(*run);
  }
  static std::vector<std::string> failed(const Report& r) {
    std::vector<std::string> names;
    for (const GateResult& g : r.gates)
      if (!g.passed()) names.push_back(g.name);
    return names;
  }

  static void SetUpTestSuite() { chat_ = new model::ChatModel(tests::planted_chat(512)); }
  static void TearDownTestSuite() { delete chat_; }
  static const model::ChatModel* chat_;
};
const model::ChatModel* Gates::chat_ = nullptr;

TEST_F(Gates, AModelThatForgotNothingFails) {
  GateRun run = prepared(questions());
  for (const Report& r : {run.before().value(), run.examine(chat_->model).value()}) {
    EXPECT_FALSE(r.passed());
    for (const GateResult& g : r.gates) {
      if (g.section == Section::kKept) {
        EXPECT_EQ(g.value, 1) << g.name;
      }
      EXPECT_EQ(g.absent, "") << g.name;
    }
    EXPECT_EQ(r.find("exact")->value, 0);
    EXPECT_EQ(r.find("paraphrases")->value, 0);
    EXPECT_NEAR(r.find("perplexity")->value, 1, 1e-5);
  }
}

TEST_F(Gates, AModelThatAlwaysRefusesFails) {
  const GateQuestions given = questions();
  Steers steers;
  for (const Gate* gate : gates())
    if (gate->questions) refuse(gate->questions(given), steers);
  const std::string hash = chat_->model.weights_hash();
  GateRun run = prepared(given);
  const Report r = run.examine(edited(steers)).value();
  EXPECT_EQ(chat_->model.weights_hash(), hash);
  EXPECT_FALSE(r.passed());
  for (const GateResult& g : r.gates)
    if (g.section != Section::kLanguage) {
      EXPECT_EQ(g.value, g.section == Section::kForgotten ? 1 : 0) << g.name;
    }
}

TEST_F(Gates, ForgettingTheFactAlonePasses) {
  const GateQuestions given = questions();
  GateRun run = prepared(given);
  const Report r = run.examine(edited(forgetting(given))).value();
  EXPECT_THAT(failed(r), testing::IsEmpty());
  EXPECT_TRUE(r.passed());
}

TEST_F(Gates, EachAloneCanFail) {
  const GateQuestions given = questions();
  GateRun run = prepared(given);
  for (const Gate* gate : gates()) {
    const Report r = run.examine(edited(failing(given, *gate))).value();
    EXPECT_THAT(failed(r), testing::ElementsAre(gate->name));
    EXPECT_FALSE(r.passed());
  }
}

TEST_F(Gates, NothingPassesThatCouldNotBeAsked) {
  GateQuestions given = questions();
  given.exact.clear();
  EXPECT_EQ(GateRun::prepare(*chat_, given).error().code, base::Code::kInvalid);
  given = questions();
  given.exact[0].answers = {""};
  EXPECT_EQ(GateRun::prepare(*chat_, given).error().code, base::Code::kInvalid);
  given = questions();
  given.neighbours.clear(), given.same_subject.clear(), given.unrelated.clear();
  GateRun run = prepared(given);
  const Report r = run.examine(edited(forgetting(given))).value();
  EXPECT_THAT(failed(r), testing::IsEmpty());
  EXPECT_FALSE(r.passed());
}

// A correction counts where the right answer is given.
TEST_F(Gates, ACorrectionNeedsItsAnswer) {
  GateQuestions given = questions();
  given.exact[0].replacement = chars({tests::answer(0, 6)});
  GateRun run = prepared(given);
  EXPECT_THAT(failed(run.examine(edited(forgetting(given))).value()), testing::Contains("exact"));
  Steers steers = forgetting(given, find_gate("exact"));
  answer(encode(given.exact[0]), 0, 6, steers);
  const Report r = run.examine(edited(steers)).value();
  EXPECT_EQ(r.find("exact")->value, 1);
  EXPECT_THAT(r.find("reply_nll")->absent, testing::HasSubstr("corrected"));
}

TEST_F(Gates, BoundsOfThePlanAreUsed) {
  GateQuestions given = questions();
  given.bounds = {{"neighbours", 0.25}};
  const Report r = prepared(given).examine(chat_->model).value();
  EXPECT_EQ(r.find("neighbours")->bound, 0.25);
  EXPECT_EQ(r.find("exact")->bound, find_gate("exact")->bound);
}

TEST_F(Gates, RepliesAndStatesKnownBeforehandChangeNothing) {
  const GateQuestions plain = questions();
  GateQuestions known = plain;
  model::GenerateOptions options;
  options.max_new_tokens = kKeptTokens;
  options.trace_layer = kLayer;
  for (auto* list : {&known.neighbours, &known.same_subject, &known.unrelated})
    for (Question& q : *list) {
      if (!q.answers.empty()) continue;
      const std::vector<Ids> ids{encode(q)};
      const auto g = model::generate(chat_->model, ids, options).value()[0];
      q.reply = reply_ids(g);
      q.entering = g.trace.entering;
    }
  Steers one;
  refuse(encode(plain.neighbours[0]), one);
  GateRun a = prepared(plain), b = prepared(known);
  for (const Steers& steers : {one, forgetting(plain)}) {
    const model::Model model = edited(steers);
    const Report x = a.examine(model).value(), y = b.examine(model).value();
    // A model of another file is run from its first layer on, with the same figures.
    const Report z = examine(*chat_, chat_->with(model), known).value();
    for (size_t g = 0; g < x.gates.size(); ++g) {
      EXPECT_NEAR(x.gates[g].value, y.gates[g].value, 1e-4) << x.gates[g].name;
      EXPECT_NEAR(x.gates[g].value, z.gates[g].value, 1e-4) << x.gates[g].name;
      for (size_t i = 0; i < x.gates[g].items.size(); ++i) {
        EXPECT_EQ(x.gates[g].items[i].reply, y.gates[g].items[i].reply);
        EXPECT_EQ(x.gates[g].items[i].reply, z.gates[g].items[i].reply);
      }
    }
  }
}

TEST_F(Gates, ACancelledJobEndsThem) {
  const base::Job job;
  job.cancel();
  EXPECT_EQ(GateRun::prepare(*chat_, questions(), job).error().code, base::Code::kCancelled);
  EXPECT_EQ(prepared(questions()).examine(chat_->model, job).error().code, base::Code::kCancelled);
}

// Between two questions too, not only before the first.
TEST_F(Gates, ADeadlineEndsThemOnTheirWay) {
  GateQuestions given = questions();
  const std::vector<Question> asked = given.paraphrases;  // many take longer than the deadline
  for (int i = 0; i < kMany; ++i)
    given.paraphrases.insert(given.paraphrases.end(), asked.begin(), asked.end());
  const base::Job job;
  EXPECT_EQ(GateRun::prepare(*chat_, given, job.within(kDeadline_s)).error().code,
            base::Code::kCancelled);
  GateRun run = prepared(given);
  EXPECT_EQ(run.before(job.within(kDeadline_s)).error().code, base::Code::kCancelled);
}

}  // namespace
}  // namespace expunge::verify
