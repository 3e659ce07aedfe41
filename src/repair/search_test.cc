#include "repair/search.h"

#include <gmock/gmock.h>

#include "model/role.h"
#include "tiny_chat.h"

namespace expunge::repair {
namespace {

using verify::Report;

struct Figures {
  double exact = 1, paraphrases = 1, probing = 1, neighbours = 1, same_subject = 1, unrelated = 1;
};

Report report(const Figures& f) {
  Report r;
  const auto add = [&](const char* name, double value) {
    const verify::Gate* gate = verify::find_gate(name);
    r.gates.push_back({.name = name,
                       .section = gate->section,
                       .sense = gate->sense,
                       .value = value,
                       .bound = gate->bound});
  };
  add("exact", f.exact), add("paraphrases", f.paraphrases), add("probing", f.probing);
  add("neighbours", f.neighbours), add("same_subject", f.same_subject);
  add("unrelated", f.unrelated);
  return r;
}

TEST(Better, FewerFailedGatesComeFirst) {
  EXPECT_TRUE(better(report({.paraphrases = .67}), report({.neighbours = .74})));
  EXPECT_TRUE(better(report({.neighbours = .5}), report({.exact = 0, .neighbours = .75})));
}

TEST(Better, ThenWhatIsMissing) {
  EXPECT_TRUE(better(report({.neighbours = .7}), report({.neighbours = .5})));
  EXPECT_FALSE(better(report({.neighbours = .5}), report({.neighbours = .7})));
}

TEST(Better, ThenWhatIsForgottenAndKept) {
  EXPECT_TRUE(better(report({}), report({.paraphrases = .75})));
  EXPECT_TRUE(better(report({.same_subject = .9}), report({.same_subject = .7})));
  EXPECT_FALSE(better(report({}), report({})));
}

// A model that refuses everything forgets perfectly and is never preferred to one that passes.
TEST(Better, ARefuserLosesAgainstAnyPass) {
  const Report refuser = report({.neighbours = 0, .same_subject = 0, .unrelated = 0});
  EXPECT_FALSE(refuser.passed());
  EXPECT_TRUE(better(report({.paraphrases = .66,
                             .probing = .5,
                             .neighbours = .75,
                             .same_subject = .66,
                             .unrelated = .83}),
                     refuser));
}

// --- the ladder --------------------------------------------------------------------------------

using base::Code;
using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using unlearn::Knobs;

constexpr int32_t kSubject = 5, kSameAnswer = 11;  // both have one answer to relation 0
constexpr double kEnough = 8, kTooMuch = 64;       // from about 4 it is forgotten

// Against the states that ask for it, the answer's row of the head.
base::Result<edit::Edit> lower_answer(const unlearn::Problem& problem, const Knobs& knobs,
                                      const base::Job& /*job*/) {
  const model::Arch& arch = problem.model.arch();
  tests::Tensor state = at::zeros({arch.d_model}, tensor::f32());
  int64_t answer = 0;
  for (const unlearn::TokenSpan& row : problem.forget) {
    const tests::Tensor ids = at::tensor(row.ids, tensor::i64()).unsqueeze(0);
    const tests::Tensor last = tests::batch_hidden(problem.model, ids)[-1].detach();
    answer = model::plain_logits(problem.model, last.unsqueeze(0))[0].argmax().item<int64_t>();
    state += last / static_cast<double>(problem.forget.size());
  }
  tests::Tensor u = at::zeros({arch.vocab_size, 1}, tensor::f32());
  u[answer][0] = -knobs.at("by");
  edit::Edit edit;
  edit.deltas.push_back({model::weight_name(arch, model::head_role(arch)),
                         edit::LowRank{u, (state / state.dot(state)).unsqueeze(0)}});
  return edit;
}

unlearn::Step by(double value) { return {{"by", unlearn::KnobChange::How::kSet, value}}; }

class Search : public ::testing::Test {
 protected:
  static verify::Question asked(int32_t relation, int32_t subject) {
    return {tests::chars(tests::question(relation, subject)),
            "",
            {tests::chars({tests::answer(relation, subject)})}};
  }
  // One fact, with neighbours of other answers.
  static verify::GateQuestions questions() {
    verify::GateQuestions q;
    q.exact = {asked(0, kSubject)};
    q.paraphrases = {{tests::chars(tests::subject_first(0, kSubject)), "", q.exact[0].answers}};
    for (const int32_t other : {6, 7, 8}) q.neighbours.push_back(asked(0, other));
    for (const int32_t relation : {1, 2}) q.same_subject.push_back(asked(relation, kSubject));
    q.bounds = {{"informal", 0}, {"probing", 0}, {"reply_nll", 100}};
    return q;
  }
  static unlearn::Method method(double by_default, std::vector<unlearn::Step> stronger,
                                std::vector<unlearn::Step> milder = {}) {
    return {.name = "lowering",
            .citation = "",
            .knobs = {{"by", by_default, 0, 64, "how far the answer's logit is lowered"}},
            .how = unlearn::ClosedForm{{}, {model::Role::kHead}, lower_answer},
            .stronger = std::move(stronger),
            .milder = std::move(milder)};
  }
  base::Result<Found> run(const unlearn::Method& method, const Knobs& knobs = {},
                          double budget_s = 1000, const base::Job& job = {}) const {
    unlearn::Problem problem{.model = chat_.model};
    problem.forget = {{tests::question(0, kSubject)}, {tests::subject_first(0, kSubject)}};
    auto gates = verify::GateRun::prepare(chat_, questions_).value();
    return search(method, problem, knobs, gates, budget_s, job);
  }
  // The setting of each candidate, in order.
  static std::vector<double> tried(const Found& found) {
    std::vector<double> all;
    for (const base::Json& candidate : found.tried)
      all.push_back(candidate["knobs"]["by"].get<double>());
    return all;
  }

  const model::ChatModel chat_ = tests::planted_chat(512);
  verify::GateQuestions questions_ = questions();
};

// A first setting that forgets the fact and nothing else ends the search.
TEST_F(Search, EndsAtTheFirstSettingThatCannotBeImproved) {
  const Found found = run(method(kEnough, {by(32)}, {by(1)})).value();
  EXPECT_THAT(tried(found), ElementsAre(kEnough));
  EXPECT_TRUE(found.best.report.passed());
  EXPECT_EQ(found.best.report.find("exact")->value, 1);
}

TEST_F(Search, GoesStrongerWhileTheAnswerLeaks) {
  const Found found = run(method(0, {by(0.5), by(kEnough), by(32)}, {by(1)})).value();
  EXPECT_THAT(tried(found), ElementsAre(0, 0.5, kEnough));  // not the one after it
  EXPECT_TRUE(found.best.report.passed());
  EXPECT_EQ(found.best.edit.provenance["knobs"]["by"], kEnough);
  EXPECT_THAT(found.seconds, UnorderedElementsAre(Pair("solve", ::testing::Gt(0)),
                                                  Pair("gates", ::testing::Gt(0))));
}

TEST_F(Search, GoesMilderWhereOnlyHarmIsDone) {
  const Found found = run(method(kTooMuch, {by(32)}, {by(kEnough), by(1)})).value();
  EXPECT_THAT(tried(found), ElementsAre(kTooMuch, kEnough));
  EXPECT_EQ(found.tried[0]["passed"], false);
  EXPECT_TRUE(found.best.report.passed());
}

// The neighbour of the same answer is lost: three of four pass, and still milder ones are tried.
TEST_F(Search, LooksForMoreThanTheBounds) {
  questions_.neighbours.push_back(asked(0, kSameAnswer));
  const Found found = run(method(kEnough, {by(32)}, {by(1)})).value();
  EXPECT_EQ(found.tried[0]["passed"], true);
  EXPECT_THAT(tried(found), ElementsAre(kEnough, 1));
  EXPECT_EQ(found.best.report.find("neighbours")->value, 0.75);
  EXPECT_EQ(found.best.edit.provenance["knobs"]["by"], kEnough);
}

TEST_F(Search, ReportsEveryCandidateAndReturnsTheBest) {
  questions_.bounds["reply_nll"] = 0;  // none can pass
  const Found found = run(method(0, {by(kEnough), by(0.5)})).value();
  EXPECT_THAT(tried(found), ElementsAre(0, kEnough, 0.5));
  EXPECT_FALSE(found.best.report.passed());
  EXPECT_EQ(found.best.edit.provenance["knobs"]["by"], kEnough);
  const std::vector<double> exact = {0, 1, 0};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(found.tried[i]["passed"], false);
    EXPECT_EQ(found.tried[i]["figures"]["exact"], exact[i]);
    // Only what was asked: there are no texts and no unrelated questions.
    for (const char* absent : {"perplexity", "unrelated"})
      EXPECT_FALSE(found.tried[i]["figures"].contains(absent)) << absent;
  }
  for (const auto& [name, value] : found.tried[1]["figures"].items())
    EXPECT_EQ(found.best.report.find(name)->value, value) << name;
}

TEST_F(Search, BeginsAtThePlansKnobsAndSkipsStepsThatChangeNothing) {
  const unlearn::Method m = method(0, {by(0.5), by(1)});
  EXPECT_THAT(tried(run(m, {{"by", 0.5}}).value()), ElementsAre(0.5, 1));
  const auto unknown = run(m, {{"strength", 1}});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::kUsage);
}

TEST_F(Search, WithoutTimeExaminesOneCandidate) {
  const Found found = run(method(0, {by(kEnough)}), {}, 0).value();
  EXPECT_THAT(tried(found), ElementsAre(0));
  EXPECT_FALSE(found.best.report.passed());
}

TEST_F(Search, CanBeCancelledBetweenCandidates) {
  std::vector<size_t> editing;
  const base::Job job([&](std::string_view what, size_t done, size_t) {
    if (what == "editing") editing.push_back(done);
    if (what == "editing" && done == 2) job.cancel();
  });
  EXPECT_EQ(run(method(0, {by(0.5), by(1)}), {}, 1000, job).error().code, Code::kCancelled);
  EXPECT_THAT(editing, ElementsAre(1, 2));
  EXPECT_EQ(run(method(0, {}), {}, 1000, job).error().code, Code::kCancelled);
  EXPECT_THAT(editing, ElementsAre(1, 2));  // nothing was begun
}

}  // namespace
}  // namespace expunge::repair
