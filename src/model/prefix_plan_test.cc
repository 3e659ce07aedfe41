#include "model/prefix_plan.h"

#include <gmock/gmock.h>

#include <set>

#include "tiny.h"

namespace expunge::model {
namespace {

using testing::ElementsAre;
using tests::Ids;

std::vector<PlanInput> inputs_of(const std::vector<Ids>& sequences, size_t n_own = 1) {
  std::vector<PlanInput> inputs;
  for (const Ids& ids : sequences) inputs.push_back({ids, ids.size() - n_own});
  return inputs;
}
size_t begun(const std::vector<Ids>& sequences, const PlanOptions& options = {}) {
  return plan_prefixes(inputs_of(sequences), options).n_begun;
}

TEST(PrefixPlan, TheBeginningLeavesEachSequenceItsWantedRows) {
  EXPECT_TRUE(plan_prefixes({}).passes.empty());
  EXPECT_EQ(begun({{1, 2, 3}}), 0U);  // alone it shares nothing
  EXPECT_EQ(begun({{1, 2, 3}, {1, 2, 3}}), 2U);
  EXPECT_EQ(begun({{1, 2, 3, 4}, {1, 2}}), 1U);
  EXPECT_EQ(begun({{1, 2, 3, 4}, {1, 9, 3, 4}}), 1U);
  EXPECT_EQ(begun({{1}, {1}}), 0U);
  EXPECT_EQ(begun({{1, 2, 3, 4}, {1, 2, 3, 5}}, {.worth_sharing = 3}), 3U);
  EXPECT_EQ(begun({{1, 2, 3, 4}, {1, 2, 3, 5}}, {.worth_sharing = 4}), 0U);
  const std::vector<Ids> two{{1, 2, 3, 4}, {1, 2, 3, 5}};
  EXPECT_EQ(plan_prefixes(std::vector<PlanInput>{{two[0], 3}, {two[1], 1}}).n_begun, 1U);
  EXPECT_EQ(plan_prefixes(std::vector<PlanInput>{{two[0], 0}, {two[1], 4}}).n_begun, 0U);
}

TEST(PrefixPlan, BeginningsAloneKeepTheOrderAndFillPasses) {
  const std::vector<Ids> sequences{{1, 2, 9, 9, 9}, {1, 2, 3}, {1, 2, 9, 9, 8}, {1, 2, 9, 9, 9, 9}};
  const auto inputs = inputs_of(sequences);
  const PrefixPlan plan = plan_prefixes(inputs, {.pass_rows = 4});
  EXPECT_EQ(plan.n_begun, 2U);
  ASSERT_EQ(plan.passes.size(), 3U);
  EXPECT_EQ(plan.passes[0].n_rows, 4U);
  EXPECT_EQ(plan.passes[0].steps[0].input, 0U);
  EXPECT_THAT(plan.passes[0].steps[0].rows, ElementsAre(0, 1, 2));
  EXPECT_THAT(plan.passes[0].steps[1].rows, ElementsAre(3));
  EXPECT_THAT(plan.passes[1].steps[0].rows, ElementsAre(0, 1, 2));  // not the neighbour's
  EXPECT_EQ(plan.passes[2].steps[0].input, 3U);
}

TEST(PrefixPlan, NeighboursReadEachOthersRows) {
  const std::vector<Ids> sequences{
      {1, 2, 4, 4}, {1, 2, 3, 7}, {1, 2, 3}, {1, 2, 3, 7, 5}, {1, 2, 3, 7}};
  const PrefixPlan plan =
      plan_prefixes(inputs_of(sequences), {.sharing = Sharing::kNeighbours, .worth_sharing = 2});
  EXPECT_EQ(plan.n_begun, 2U);
  ASSERT_EQ(plan.passes.size(), 1U);
  const auto& steps = plan.passes[0].steps;
  std::vector<size_t> order;
  for (const auto& step : steps) order.push_back(step.input);
  EXPECT_THAT(order, ElementsAre(2, 1, 4, 3, 0));
  EXPECT_THAT(steps[0].rows, ElementsAre(0));
  EXPECT_THAT(steps[1].rows, ElementsAre(0, 1));
  EXPECT_THAT(steps[2].rows, ElementsAre(0, 1));  // the same again: nothing is run
  EXPECT_EQ(steps[2].n_known, 4U);
  EXPECT_THAT(steps[3].rows, ElementsAre(0, 1, 2));
  EXPECT_THAT(steps[4].rows, ElementsAre(3, 4));
  EXPECT_EQ(plan.passes[0].n_rows, 5U);
}

// Whatever is shared, each sequence's rows lead back to its own tokens, and a token that two have
// in common in a pass is run once.
TEST(PrefixPlan, RowsSpellTheirSequence) {
  std::mt19937_64 rng(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<Ids> sequences(1 + rng() % 12);
    for (Ids& ids : sequences) {
      ids = {7, 7};
      for (size_t n = rng() % 9; n > 0; --n) ids.push_back(static_cast<int32_t>(rng() % 3));
    }
    const auto inputs = inputs_of(sequences, rng() % 3);
    const PrefixPlan plan =
        plan_prefixes(inputs, {.sharing = round % 2 ? Sharing::kNeighbours : Sharing::kBeginning,
                               .worth_sharing = rng() % 3,
                               .pass_rows = 1 + rng() % 20});
    std::set<size_t> seen;
    for (const auto& pass : plan.passes) {
      std::vector<int32_t> ids(pass.n_rows, -1);
      std::set<Ids> beginnings;
      for (const auto& step : pass.steps) {
        EXPECT_TRUE(seen.insert(step.input).second);
        const Ids& own = sequences[step.input];
        ASSERT_EQ(step.rows.size(), own.size() - plan.n_begun);
        ASSERT_GE(step.n_known, plan.n_begun);
        for (size_t t = plan.n_begun; t < own.size(); ++t) {
          int32_t& id = ids[static_cast<size_t>(step.rows[t - plan.n_begun])];
          EXPECT_EQ(id, t < step.n_known ? own[t] : -1);
          id = own[t];
          beginnings.insert({own.begin(), own.begin() + static_cast<std::ptrdiff_t>(t) + 1});
        }
      }
      EXPECT_THAT(ids, testing::Each(testing::Ge(0)));
      if (round % 2) {
        EXPECT_EQ(pass.n_rows, beginnings.size());
      }
    }
    EXPECT_EQ(seen.size(), sequences.size());
  }
}

TEST(PlannedRun, EqualsEachSequenceAlone) {
  const auto model = tests::random_model(5);
  const std::vector<Ids> sequences{{9, 8, 1, 2, 3}, {9, 8, 1, 2, 4, 5}, {9, 8, 1, 2}, {9, 8, 6}};
  const auto inputs = inputs_of(sequences);
  for (const Sharing sharing : {Sharing::kBeginning, Sharing::kNeighbours})
    for (const size_t rows : {1, 3, 100})
      for (const int32_t hidden_id : {-1, 8, 2}) {
        const PrefixPlan plan = plan_prefixes(inputs, {.sharing = sharing, .pass_rows = rows});
        Runner runner(*model);
        PlannedRun run(runner, inputs, plan, hidden_id);
        run.begin();
        for (const auto& pass : plan.passes) {
          const Tensor hidden = run.pass(pass);
          for (const auto& step : pass.steps) {
            Sequence sequence;
            Runner alone(*model);
            const Chunk chunk{&sequence, sequences[step.input], hidden_id};
            const Tensor all = alone.forward({&chunk, 1}), want = all[all.size(0) - 1];
            if (step.rows.empty()) continue;
            EXPECT_LT((hidden[step.rows.back()] - want).norm().item<double>(),
                      2e-6 * want.norm().item<double>());
          }
        }
      }
}

}  // namespace
}  // namespace expunge::model
