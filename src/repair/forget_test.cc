// Requests on the planted model: forgotten with evidence, refused, corrected, one after another.
#include "repair/forget.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include "planted_wordings.h"
#include "repair/recheck.h"

namespace expunge::repair {
namespace {

using base::Code;
using ::testing::HasSubstr;

class Forget : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new tests::TempDir();
    ::setenv("EXPUNGE_CACHE", (*folder_ / "cache").c_str(), 1);
    baseline_ = new Baseline(tests::planted_chat(), tests::planted_wordings());
  }
  static void TearDownTestSuite() {
    delete baseline_;
    delete folder_;
  }
  static Snapshot snapshot(std::vector<edit::Edit> edits = {}) {
    const model::ChatModel& base = tests::planted_chat();
    const model::Model present = edit::apply(base.model, edits).value();
    return {0, base, std::move(edits), base.with(present)};
  }
  static agent::Plan plan(int32_t relation, int32_t subject) {
    return tests::planted_plan(relation, subject);
  }
  // The best edit whether it passes or not: the test is about its outcome.
  static ForgetOptions keeping() {
    ForgetOptions options;
    options.decide = [](const verify::Report&) { return Decision::kKeepPartial; };
    return options;
  }
  static std::string answer(int32_t relation, int32_t subject) {
    return tests::chars({tests::answer(relation, subject)});
  }
  static bool knows(const model::Model& model, int32_t relation, int32_t subject) {
    for (const std::string& reply : tests::planted_replies(model, relation, subject))
      if (reply != answer(relation, subject)) return false;
    return true;
  }
  static tests::TempDir* folder_;
  static Baseline* baseline_;
};
tests::TempDir* Forget::folder_ = nullptr;
Baseline* Forget::baseline_ = nullptr;

TEST_F(Forget, AFactIsForgottenWithEvidenceAndTheRestStays) {
  const Snapshot now = snapshot();
  agent::Plan p = plan(0, 1);
  const Outcome outcome = forget(now, *baseline_, p, keeping()).value();
  EXPECT_NE(outcome.verdict, Verdict::kReverted);
  EXPECT_EQ(outcome.before.find("exact")->value, 0);
  EXPECT_EQ(outcome.after.find("exact")->value, 1);
  EXPECT_GT(outcome.edit_norm, 0);
  EXPECT_EQ(outcome.entry, 0);  // nothing is committed here
  const model::Model edited = edit::apply(now.base.model, outcome.edit).value();
  for (const std::string& reply : tests::planted_replies(edited, 0, 1))
    EXPECT_THAT(reply, ::testing::Not(HasSubstr(answer(0, 1))));
  int kept = 0;
  for (int32_t s = 2; s < tests::kSubjects; ++s) kept += knows(edited, 0, s);
  EXPECT_GE(kept, 8);
  EXPECT_EQ(now.present.model.weights_hash(), tests::planted_chat().model.weights_hash());
}

TEST_F(Forget, AGateThatFailsLeavesNothingUnlessTheUserWantsIt) {
  const Snapshot now = snapshot();
  agent::Plan p = plan(0, 2);
  p.gates["reply_nll"] = 0;  // no edit can pass
  const Outcome reverted = forget(now, *baseline_, p, {}).value();
  EXPECT_EQ(reverted.verdict, Verdict::kReverted);
  EXPECT_TRUE(reverted.edit.deltas.empty());
  EXPECT_EQ(forget(now, *baseline_, p, keeping())->verdict, Verdict::kPartial);
}

TEST_F(Forget, WhatTheModelDoesNotSayIsNotForgotten) {
  const Snapshot now = snapshot();
  agent::Plan p = plan(0, 1);
  p.targets[0].response = answer(0, 2);
  p.targets[0].answers = {answer(0, 2)};
  const auto refused = forget(now, *baseline_, p, keeping());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRefused);
  EXPECT_THAT(refused.error().message, HasSubstr("nothing to forget"));
}

TEST_F(Forget, AnOpenAnswerIsAnError) {
  agent::Plan p = plan(1, 5);
  p.targets[0].response.clear();
  p.targets[0].answers.clear();
  EXPECT_EQ(forget(snapshot(), *baseline_, p, keeping()).error().code, Code::kInvalid);
}

TEST_F(Forget, LaterRequestsTakeOtherNeurons) {
  std::vector<edit::Edit> edits;
  std::set<int64_t> taken;
  for (int32_t s = 5; s <= 7; ++s) {
    agent::Plan p = plan(0, s);
    Outcome outcome = forget(snapshot(edits), *baseline_, p, keeping()).value();
    for (const edit::Occupied& o : outcome.edit.occupied)
      for (const int64_t neuron : o.neurons) EXPECT_TRUE(taken.insert(neuron).second) << neuron;
    edits.push_back(std::move(outcome.edit));
  }
  const model::Model all = snapshot(edits).present.model;
  for (int32_t s = 5; s <= 7; ++s) EXPECT_FALSE(knows(all, 0, s)) << s;
}

TEST_F(Forget, ItCanBeCancelledAndLeavesNothing) {
  const base::Job job;
  job.cancel();
  agent::Plan p = plan(0, 1);
  EXPECT_EQ(forget(snapshot(), *baseline_, p, keeping(), job).error().code, Code::kCancelled);
}

// One that is in every reply would never count as forgotten, whatever the others are.
TEST_F(Forget, EveryAnswerMustBeToldApart) {
  agent::Plan p = plan(0, 1);
  p.targets[0].answers.push_back("a");
  const auto refused = forget(snapshot(), *baseline_, p, keeping());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRefused);
  EXPECT_THAT(refused.error().message, HasSubstr("'a' is in almost every reply"));
}

TEST_F(Forget, APlanThatChangesNothingIsRefused) {
  agent::Plan p = plan(0, 1);
  p.intent = agent::Intent::kStatus;
  EXPECT_EQ(forget(snapshot(), *baseline_, p, {}).error().code, Code::kInvalid);
}

}  // namespace
}  // namespace expunge::repair
