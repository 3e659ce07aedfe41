// Earlier entries are asked again: the last ones that have questions, each with a held wording.
#include "repair/recheck.h"

#include <gmock/gmock.h>

#include "planted_wordings.h"

namespace expunge::repair {
namespace {

journal::Entry entry(int64_t id, int32_t relation, int32_t subject) {
  journal::Entry e;
  e.id = id;
  e.plan = agent::to_json(tests::planted_plan(relation, subject));
  return e;
}

TEST(HasQuestions, SealedAndTrainedEntriesHaveNone) {
  journal::Entry e = entry(1, 0, 5);
  EXPECT_TRUE(has_questions(e));
  e.sealed = true;
  EXPECT_FALSE(has_questions(e));
  EXPECT_FALSE(has_questions(journal::Entry()));
}

TEST(RecheckTest, TheBaseModelAnswersEverything) {
  const std::vector<journal::Entry> entries = {entry(1, 0, 5), entry(2, 1, 6)};
  const auto checks = recheck(tests::planted_chat(), entries, 8).value();
  ASSERT_EQ(checks.size(), 2);
  for (const Recheck& c : checks) {
    EXPECT_GE(c.asked, 1U);
    EXPECT_EQ(c.forgotten, 0U);
  }
}

TEST(RecheckTest, TheLastOnesThatCanBeAsked) {
  std::vector<journal::Entry> entries = {entry(1, 0, 5), entry(2, 1, 6), entry(3, 2, 7),
                                         entry(4, 0, 8)};
  entries[3].sealed = true;
  std::vector<int64_t> ids;
  const auto checks = recheck(tests::planted_chat(), entries, 2).value();
  for (const Recheck& c : checks) ids.push_back(c.entry);
  EXPECT_THAT(ids, ::testing::UnorderedElementsAre(2, 3));
  EXPECT_TRUE(recheck(tests::planted_chat(), {}, 2)->empty());
}

TEST(RecheckTest, AnAnswerThatIsNotSaidIsForgotten) {
  journal::Entry e = entry(1, 0, 5);
  agent::Plan plan = agent::plan_from_json(e.plan).value();
  plan.targets[0].answers = {"zzz"};
  plan.targets[0].response = "zzz";
  e.plan = agent::to_json(plan);
  const auto checks = recheck(tests::planted_chat(), {&e, 1}, 8).value();
  ASSERT_EQ(checks.size(), 1);
  EXPECT_EQ(checks[0].forgotten, checks[0].asked);
}

TEST(RecheckTest, CanBeCancelled) {
  const base::Job job;
  job.cancel();
  const std::vector<journal::Entry> entries = {entry(1, 0, 5)};
  EXPECT_EQ(recheck(tests::planted_chat(), entries, 8, job).error().code, base::Code::kCancelled);
}

}  // namespace
}  // namespace expunge::repair
