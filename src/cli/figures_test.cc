#include "cli/figures.h"

#include <gmock/gmock.h>

#include "cli/layout.h"

namespace expunge::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::internal::CaptureStdout;
using ::testing::internal::GetCapturedStdout;

TEST(Figures, SideBySideWithOneLineAReason) {
  const auto absent = [](const char* why) { return base::fail(base::Code::kInvalid, why); };
  std::vector<service::EvaluatedRun> runs(2);
  runs[0].label = "base";
  runs[0].evaluation.figures.values = {{"model_utility", verify::Figure(0.5221)},
                                       {"forget_quality", verify::Figure(2.19e-16)}};
  runs[1].label = "a label that is much too long";
  runs[1].evaluation.figures = {{{"model_utility", verify::Figure(0.5)},
                                 {"forget_rouge", verify::Figure(1, "1 record without words")},
                                 {"mia", absent("no holdout")},
                                 {"privleak", absent("no holdout")},
                                 {"x", absent("no retain")}},
                                {{"n_items", 3}}};
  runs[1].evaluation.skipped = {{"forget", 3, "qa.json", "9000 tokens"}};
  CaptureStdout();
  Terminal t((base::Job()));
  print_figures(t, runs);
  const std::string table = GetCapturedStdout();
  EXPECT_THAT(table, HasSubstr("model_utility"));
  EXPECT_THAT(table, HasSubstr("0.5221           0.5\n"));
  EXPECT_THAT(table, HasSubstr("2.19e-16             -\n"));  // the second run has none
  EXPECT_THAT(table, HasSubstr("n_items"));
  EXPECT_THAT(table, HasSubstr("-             3\n"));
  EXPECT_THAT(table, HasSubstr("absent: 2 figures; no holdout"));
  EXPECT_THAT(table, HasSubstr("absent: 1 figure; no retain"));
  EXPECT_THAT(table, HasSubstr("skipped: 1 item; it is forget row 3 of qa.json: 9000 tokens"));
  EXPECT_THAT(table, HasSubstr("forget_rouge leaves out 1 record without words"));
  for (size_t at = 0, end; (end = table.find('\n', at)) != table.npos; at = end + 1)
    EXPECT_LE(columns(table.substr(at, end - at)), kColumns);
}

}  // namespace
}  // namespace expunge::cli
