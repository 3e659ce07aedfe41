// A model with its journal: snapshots, commits, undo, other processes.
#include "service/session.h"

#include <gmock/gmock.h>

#include "model/role.h"
#include "plain_agents.h"
#include "planted_wordings.h"

namespace expunge::service {
namespace {

using base::Code;
using ::testing::HasSubstr;

class SessionTest : public ::testing::Test {
 protected:
  base::Result<std::unique_ptr<Session>> open(journal::Mode mode = journal::Mode::kReadWrite) {
    SessionOptions options{.journal = folder_ / "journal.db", .mode = mode};
    options.agents = std::make_shared<Agents>(
        std::make_shared<tests::ScriptedModel>(tests::ScriptedModel::Replies()),
        std::make_shared<tests::PlantedSurgeon>());
    return Session::open(tests::planted_chat(), options);
  }
  // A change of one matrix of a layer.
  static edit::Edit edit(int64_t layer, uint64_t seed) {
    std::mt19937_64 rng(seed);
    edit::Edit e;
    e.deltas.push_back({tests::layer_weight(layer, "mlp.down_proj"),
                        edit::LowRank{tests::random_tensor(rng, {32, 1}, 0.1),
                                      tests::random_tensor(rng, {1, 48}, 0.1)}});
    return e;
  }
  // As a training records it: without a plan.
  static journal::Draft trained() {
    journal::Draft draft;
    draft.method = "npo";
    draft.verdict = "trained";
    return draft;
  }
  // As a request records it: with questions to ask again.
  static journal::Draft asked(int32_t relation, int32_t subject) {
    agent::Plan plan;
    agent::Target t;
    t.prompt = tests::chars(tests::question(relation, subject));
    t.response = tests::chars({tests::answer(relation, subject)});
    t.answers = {t.response};
    t.held = {{tests::chars(tests::subject_first(relation, subject)), ""}};
    plan.targets = {t};
    journal::Draft draft = trained();
    draft.plan = agent::to_json(plan);
    return draft;
  }
  tests::TempDir folder_;
};

TEST_F(SessionTest, ASnapshotOutlivesWhatComesAfterIt) {
  const auto s = open().value();
  const auto before = s->snapshot();
  EXPECT_EQ(s->add(edit(1, 1), trained()).value(), 1);
  const auto after = s->snapshot();
  EXPECT_EQ(before->present.model.weights_hash(), s->base_hash());
  EXPECT_NE(after->present.model.weights_hash(), s->base_hash());
  EXPECT_EQ(after->edits.size(), 1);
  EXPECT_EQ(after->head, 1);
  // Only the edited tensor differs.
  for (const auto& [name, param] : before->present.model.weights())
    EXPECT_EQ(&after->present.model.param(name) == param.get(),
              name != tests::layer_weight(1, "mlp.down_proj"))
        << name;
}

TEST_F(SessionTest, UndoTakesAnyEntryBackBitForBit) {
  const auto s = open().value();
  ASSERT_TRUE(s->add(edit(1, 1), trained()));
  const std::string first = s->present().model.weights_hash();
  ASSERT_TRUE(s->add(edit(1, 2), trained()));
  const std::string both = s->present().model.weights_hash();
  EXPECT_EQ(s->undo(2).value().weights_hash, first);
  ASSERT_TRUE(s->add(edit(1, 2), trained()));
  EXPECT_EQ(s->present().model.weights_hash(), both);
  const Undone one = s->undo(1).value();
  EXPECT_FALSE(one.is_base);
  EXPECT_TRUE(s->undo(0).value().is_base);
  EXPECT_EQ(s->present().model.weights_hash(), s->base_hash());
  EXPECT_EQ(s->undo(0).error().code, Code::kNotFound);
  EXPECT_EQ(s->undo(1).error().code, Code::kNotFound);
  EXPECT_EQ(s->undo(99).error().code, Code::kNotFound);
}

TEST_F(SessionTest, WhatAnotherProcessAppendsIsSeen) {
  const auto one = open().value(), other = open().value();
  ASSERT_TRUE(one->add(edit(1, 1), trained()));
  EXPECT_EQ(other->snapshot()->head, 0);
  // Made from outdated weights: refused, and nothing is recorded.
  EXPECT_EQ(other->add(edit(2, 1), trained()).error().code, Code::kConflict);
  ASSERT_TRUE(other->refresh());
  EXPECT_EQ(other->present().model.weights_hash(), one->present().model.weights_hash());
  ASSERT_TRUE(other->add(edit(2, 1), trained()));
  ASSERT_TRUE(one->undo(1));  // refreshes by itself
  EXPECT_EQ(one->snapshot()->edits.size(), 1);
}

TEST_F(SessionTest, TheStateIsTheFileAndTheJournal) {
  std::string hash;
  {
    const auto s = open().value();
    ASSERT_TRUE(s->add(edit(0, 1), trained()));
    ASSERT_TRUE(s->add(edit(2, 2), trained()));
    hash = s->present().model.weights_hash();
  }
  const auto s = open(journal::Mode::kReadOrEmpty).value();
  EXPECT_EQ(s->present().model.weights_hash(), hash);
  EXPECT_TRUE(s->replay());
  EXPECT_EQ(s->present().model.weights_hash(), hash);
}

TEST_F(SessionTest, EarlierEntriesAreAskedAgain) {
  const auto s = open().value();
  ASSERT_TRUE(s->add(edit(1, 1), asked(0, 1)));
  ASSERT_TRUE(s->add(edit(1, 2), trained()));
  const Undone undone = s->undo(2).value();
  ASSERT_EQ(undone.others.size(), 1);
  EXPECT_EQ(undone.others[0].entry, 1);
  EXPECT_EQ(undone.others[0].asked, 2);
  EXPECT_EQ(undone.others[0].forgotten, 0);  // the edit is too small to forget it
}

TEST_F(SessionTest, TheSameFactIsNotForgottenTwice) {
  const auto s = open().value();
  ASSERT_TRUE(s->add(edit(1, 1), asked(0, 1)));
  const agent::Plan plan = agent::plan_from_json(asked(0, 1).plan).value();
  const auto again = s->forget(plan, {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kConflict);
  EXPECT_THAT(again.error().message, HasSubstr("entry 1 forgets"));
  EXPECT_EQ(s->snapshot()->edits.size(), 1);
}

TEST_F(SessionTest, AnAnswerThatStandsEverywhereIsRefused) {
  const auto s = open().value();
  agent::Plan plan = agent::plan_from_json(asked(0, 1).plan).value();
  for (const char* word : {"a", "the", "The."}) {
    plan.targets[0].response = word;
    plan.targets[0].answers = {word};
    EXPECT_EQ(s->forget(plan, {}).error().code, Code::kRefused) << word;
    agent::Plan correction = plan;
    correction.intent = agent::Intent::kCorrect;
    correction.targets[0].replacement = "B";
    EXPECT_EQ(s->forget(correction, {}).error().code, Code::kRefused) << word;
  }
}

TEST_F(SessionTest, ABoundThatNoGateHasIsRefused) {
  const auto s = open().value();
  agent::Plan plan = agent::plan_from_json(asked(0, 1).plan).value();
  plan.gates = {{"neighbors", 0.5}};
  const auto refused = s->forget(plan, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_THAT(refused.error().message, HasSubstr("/gates/neighbors"));
  // A new plan contains the bounds that apply.
  agent::Request request;
  request.prompt = "q";
  request.response = "A";
  EXPECT_EQ(s->plan({request}, agent::Intent::kForget).value().gates,
            verify::complete_bounds({}).value());
}

TEST_F(SessionTest, AnOpenAnswerIsTheModelsOwn) {
  agent::Request request = tests::planted_request(1, 5);
  const std::string known = request.response;
  request.response.clear();
  const agent::Plan plan = open().value()->plan({request}, agent::Intent::kForget).value();
  EXPECT_EQ(plan.targets.at(0).response, known);
}

// What is asked about a topic are targets of their own, and nothing about it is kept.
TEST_F(SessionTest, ATopicIsWhatTheModelKnowsOfIt) {
  const agent::Request topic{.prompt = tests::chars(tests::question(0, 5)), .topic = true};
  const agent::Plan plan = open().value()->plan({topic}, agent::Intent::kForget).value();
  EXPECT_GE(plan.targets.size(), 2u);  // an answer that is no word is left out
  for (const agent::Target& t : plan.targets) {
    EXPECT_TRUE(t.same_subject.empty());
    for (int32_t r = 0; r < tests::kRelations; ++r)
      if (t.prompt == tests::chars(tests::question(r, 5))) {
        EXPECT_EQ(t.response, tests::chars({tests::answer(r, 5)}));
      }
  }
}

TEST_F(SessionTest, AnAnswerThatChangesWithTheWordsIsAnInvention) {
  struct Misreader final : tests::PlainSurgeon {
    base::Result<agent::Material> write(const std::string&, const std::string&,
                                        const base::Job&) const override {
      agent::Material m;
      m.wordings = {tests::chars(tests::question(0, 6))};  // of another subject
      return m;
    }
  };
  SessionOptions options{.journal = folder_ / "journal.db"};
  options.agents = std::make_shared<Agents>(
      std::make_shared<tests::ScriptedModel>(tests::ScriptedModel::Replies()),
      std::make_shared<Misreader>());
  const auto s = Session::open(tests::planted_chat(), options).value();
  const agent::Request request{.prompt = tests::chars(tests::question(0, 5))};
  const auto refused = s->plan({request}, agent::Intent::kForget);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRefused);
  EXPECT_THAT(refused.error().message, HasSubstr("nothing to forget"));
}

TEST_F(SessionTest, ACancelledJobEndsAPlanThatAsksTheModel) {
  const auto s = open().value();
  const base::Job job;
  job.cancel();
  agent::Request request;
  request.prompt = tests::chars(tests::question(0, 1));
  EXPECT_EQ(s->plan({request}, agent::Intent::kForget, job).error().code, Code::kCancelled);
}

TEST_F(SessionTest, OnlyEntriesWithQuestionsCanBeVerified) {
  const auto s = open().value();
  ASSERT_TRUE(s->add(edit(1, 1), trained()));
  EXPECT_EQ(s->verify(1).error().code, Code::kUsage);
  EXPECT_EQ(s->verify(7).error().code, Code::kNotFound);
  EXPECT_TRUE(s->verify(0).value().empty());
}

}  // namespace
}  // namespace expunge::service
