#include "base/error.h"

#include <gmock/gmock.h>

#include <set>

namespace expunge::base {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<int> half(int n) {
  if (n % 2 != 0) return fail(Code::kInvalid, fmt::format("{} is odd", n), "give an even number");
  return n / 2;
}
Result<int> quarter(int n) { return TRY(half(TRY(half(n)))); }
Result<int> quarter_at(int n) { return TRY_AT("second", half(TRY_AT("first", half(n)))); }

TEST(ErrorTest, EveryCodeHasItsOwnWordAndExitStatus) {
  std::set<std::string_view> names;
  std::set<int> statuses;
  for (int i = 0; i <= static_cast<int>(Code::kInternal); ++i) {
    const CodeInfo& row = code_info(static_cast<Code>(i));
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_TRUE(statuses.insert(row.exit_status).second) << row.name;
    EXPECT_GT(row.exit_status, 1) << row.name;  // 1 is a crash's or a gate's, 0 is success
    EXPECT_LT(row.exit_status, 256) << row.name;
    EXPECT_GE(row.http_status, 400) << row.name;
    EXPECT_LT(row.http_status, 600) << row.name;
  }
}

TEST(ErrorTest, TableRowsBelongToTheirCodes) {
  EXPECT_EQ(code_info(Code::kUsage).name, "usage");
  EXPECT_EQ(code_info(Code::kUsage).exit_status, 2);
  EXPECT_EQ(code_info(Code::kNotFound).http_status, 404);
  EXPECT_EQ(code_info(Code::kCancelled).exit_status, 130);  // as a shell reports SIGINT
  EXPECT_EQ(code_info(Code::kInternal).name, "internal");
  EXPECT_EQ(code_info(Code::kInternal).exit_status, 70);  // EX_SOFTWARE
}

TEST(ErrorTest, TryTakesTheValueOrReturnsTheError) {
  EXPECT_EQ(quarter(12).value(), 3);
  const auto odd = quarter(6);
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().code, Code::kInvalid);
  EXPECT_EQ(odd.error().message, "3 is odd");
  EXPECT_EQ(odd.error().hint, "give an even number");
  EXPECT_TRUE(odd.error().trail.empty());
}

TEST(ErrorTest, TryAtAddsWhereItHappened) {
  EXPECT_THAT(quarter_at(5).error().trail, ElementsAre("first"));
  EXPECT_THAT(quarter_at(6).error().trail, ElementsAre("second"));
  const auto outer = [](int n) -> Result<int> { return TRY_AT("outer", quarter_at(n)); };
  EXPECT_THAT(outer(6).error().trail, ElementsAre("second", "outer"));
}

TEST(ErrorTest, TryEvaluatesItsArgumentOnceAndMovesTheValue) {
  int calls = 0;
  const auto make = [&]() -> Result<std::unique_ptr<int>> {
    ++calls;
    return std::make_unique<int>(7);
  };
  const auto use = [&]() -> Result<int> { return *TRY(make()); };
  EXPECT_EQ(use().value(), 7);
  EXPECT_EQ(calls, 1);
}

TEST(ErrorTest, CheckThrowsABugWithPlaceAndText) {
  EXPECT_NO_THROW(CHECK(1 + 1 == 2, "never"));
  try {
    CHECK(1 + 1 == 3, "got {}", 2);
    FAIL() << "CHECK let a false condition pass";
  } catch (const Bug& bug) {
    EXPECT_THAT(bug.what(), HasSubstr("error_test.cc:"));
    EXPECT_THAT(bug.what(), HasSubstr("1 + 1 == 3"));
    EXPECT_THAT(bug.what(), HasSubstr("got 2"));
  }
}

}  // namespace
}  // namespace expunge::base
