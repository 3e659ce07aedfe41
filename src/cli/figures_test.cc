#include "cli/figures.h"

#include <gmock/gmock.h>

#include "cli/layout.h"

namespace expunge::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::internal::CaptureStdout;
using ::testing::internal::GetCapturedStdout;

TEST(Figures, SideBySideWithOneLineAReason) {
  const std::vector<publish::ReportRun> runs = {
      {"base",
       {{"summary", {{"model_utility", 0.5221}, {"forget_quality", 2.19e-16}}},
        {"absent", base::Json::object()},
        {"left_out", base::Json::object()},
        {"skipped", base::Json::array()}}},
      {"a label that is much too long",
       {{"summary", {{"model_utility", 0.5}, {"privleak", nullptr}}},
        {"absent", {{"mia", "no holdout"}, {"privleak", "no holdout"}, {"x", "no retain"}}},
        {"left_out", {{"forget_rouge", "1 record without words"}}},
        {"skipped",
         {{{"set", "forget"}, {"row", 3}, {"file", "qa.json"}, {"reason", "9000 tokens"}}}}}}};
  CaptureStdout();
  Terminal t((base::Job()));
  print_figures(t, runs);
  const std::string table = GetCapturedStdout();
  EXPECT_THAT(table, HasSubstr("model_utility"));
  EXPECT_THAT(table, HasSubstr("0.5221           0.5\n"));
  EXPECT_THAT(table, HasSubstr("2.19e-16             -\n"));  // the second run has none
  EXPECT_THAT(table, HasSubstr("absent: 2 figures; no holdout"));
  EXPECT_THAT(table, HasSubstr("absent: 1 figure; no retain"));
  EXPECT_THAT(table, HasSubstr("skipped: 1 item; it is forget row 3 of qa.json: 9000 tokens"));
  EXPECT_THAT(table, HasSubstr("forget_rouge leaves out 1 record without words"));
  for (size_t at = 0, end; (end = table.find('\n', at)) != table.npos; at = end + 1)
    EXPECT_LE(columns(table.substr(at, end - at)), kColumns);
}

}  // namespace
}  // namespace expunge::cli
