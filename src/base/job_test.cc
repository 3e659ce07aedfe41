#include "base/job.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace expunge::base {
namespace {

TEST(Job, CopiesAreCancelledTogether) {
  const Job job;
  const Job copy = job.reporting({}), other;
  EXPECT_TRUE(copy.check());
  job.cancel();
  ASSERT_FALSE(copy.check());
  EXPECT_EQ(copy.check().error().code, Code::kCancelled);
  EXPECT_TRUE(other.check());
}

TEST(Job, TheFlagAloneCancels) {
  const Job job;
  job.flag() = true;
  EXPECT_TRUE(job.cancelled());
}

TEST(Job, ADeadlineEndsTheWorkButNotItsParent) {
  const Job job;
  const Job late = job.within(-1);
  ASSERT_FALSE(late.check());
  EXPECT_EQ(late.check().error().code, Code::kCancelled);
  EXPECT_FALSE(late.cancelled());
  EXPECT_LT(late.seconds_left(), 0);
  EXPECT_TRUE(job.check());
  EXPECT_TRUE(std::isinf(job.seconds_left()));
}

TEST(Job, TheNearerDeadlineHolds) {
  const Job job = Job().within(1e9).within(1e300);
  EXPECT_TRUE(job.check());
  EXPECT_FALSE(job.within(-1).within(1000).check());
}

TEST(Job, ReportsGoToWhoeverListens) {
  std::vector<std::string> heard;
  const Job job([&](std::string_view what, size_t done, size_t total) {
    heard.push_back(fmt::format("{} {}/{}", what, done, total));
  });
  job.report("reading", 1, 3);
  Job().report("nobody");
  EXPECT_EQ(heard, std::vector<std::string>{"reading 1/3"});
}

}  // namespace
}  // namespace expunge::base
