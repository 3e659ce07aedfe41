// The terminal class without a terminal: tests run without one.
#include "cli/terminal.h"

#include <gmock/gmock.h>

namespace expunge::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::CaptureStdout;
using ::testing::internal::GetCapturedStderr;
using ::testing::internal::GetCapturedStdout;

TEST(Duration, InTheUnitThatFits) {
  EXPECT_EQ(duration(0.0004), "0.4 ms");
  EXPECT_EQ(duration(0.24), "240 ms");
  EXPECT_EQ(duration(3.21), "3.2 s");
  EXPECT_EQ(duration(59.96), "1 min 0 s");
  EXPECT_EQ(duration(125), "2 min 5 s");
}

TEST(TerminalOutput, TextOrTheOneObject) {
  CaptureStdout();
  Terminal text((base::Job()));
  text.line("{} and {}", 1, "two");
  EXPECT_EQ(GetCapturedStdout(), "1 and two\n");
  CaptureStdout();
  Terminal json((base::Job()));
  json.configure(Output::kJson, Notes::kShown);
  json.line("not shown");
  json.print_json({{"a", "\xff"}});
  EXPECT_EQ(GetCapturedStdout(), "{\"a\":\"\uFFFD\"}\n");
}

TEST(TerminalOutput, ErrorsHaveTheirPlaceAndHint) {
  base::Error error{base::Code::kInvalid, "wrong\x1b[31m", "put it right", {}};
  error.trail = {"inner", "outer"};
  CaptureStderr();
  Terminal text((base::Job()));
  text.print_error(error);
  EXPECT_EQ(GetCapturedStderr(), "error: outer: inner: wrong[31m\nhint: put it right\n");
  CaptureStdout();
  Terminal json((base::Job()));
  json.configure(Output::kJson, Notes::kShown);
  json.print_error(error);
  const auto object = base::Json::parse(GetCapturedStdout());
  EXPECT_EQ(object["error"]["code"], "invalid");
  EXPECT_EQ(object["error"]["message"], "outer: inner: wrong[31m");
  EXPECT_EQ(object["error"]["hint"], "put it right");
}

TEST(TerminalOutput, QuietHasNoNotes) {
  CaptureStderr();
  Terminal t((base::Job()));
  t.note("shown");
  t.configure(Output::kText, Notes::kQuiet);
  t.note("hidden");
  t.progress()("work", 1, 1);
  EXPECT_EQ(GetCapturedStderr(), "shown\n");
}

TEST(TerminalOutput, PaintsNothingOffATerminal) {
  EXPECT_EQ(Terminal(base::Job()).paint(Tone::kBad, "x"), "x");
}

}  // namespace
}  // namespace expunge::cli
