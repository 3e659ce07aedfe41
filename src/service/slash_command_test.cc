#include "service/slash_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace expunge::service {
namespace {

using testing::HasSubstr;
using Kind = SlashCommand::Kind;

TEST(SlashCommand, NamesTheEntry) {
  for (const auto& [line, entry] :
       {std::pair<const char*, std::optional<int64_t>>("/undo", std::nullopt),
        {"/undo  ", std::nullopt},
        {"/undo 3", 3},
        {"/undo\t 12 ", 12},
        {"/undo entry 1", 1},
        {"/undo 9223372036854775807", INT64_MAX}}) {
    const auto command = parse_slash_command(line);
    ASSERT_TRUE(command) << line << ": " << command.error().message;
    EXPECT_EQ(command->kind, Kind::kUndo);
    EXPECT_EQ(command->entry, entry) << line;
  }
}

TEST(SlashCommand, TheOthersTakeNothing) {
  for (const auto& [line, kind] : {std::pair("/log", Kind::kLog),
                                   {"/clear", Kind::kClear},
                                   {"/help ", Kind::kHelp},
                                   {"/quit", Kind::kQuit},
                                   {"/exit", Kind::kQuit}}) {
    const auto command = parse_slash_command(line);
    ASSERT_TRUE(command) << line;
    EXPECT_EQ(command->kind, kind) << line;
    EXPECT_THAT(parse_slash_command(std::string(line) + " now").error().message,
                HasSubstr("'now'"));
  }
}

// An invalid argument never selects another entry.
TEST(SlashCommand, AnythingElseIsRefusedWithWhatWasGot) {
  for (const char* argument :
       {"one", "1x", "x1", "0", "-1", "+1", "1.0", "1 2", "entry", "entry one", "entry 1 2", "#1",
        "9223372036854775808", "99999999999999999999999", "the last one", "１"}) {
    const auto command = parse_slash_command(std::string("/undo ") + argument);
    ASSERT_FALSE(command) << argument;
    EXPECT_EQ(command.error().code, base::Code::kUsage);
    EXPECT_THAT(command.error().message, HasSubstr(std::string("got '") + argument + "'"));
    EXPECT_THAT(command.error().hint, HasSubstr("/undo 3"));
  }
  EXPECT_THAT(parse_slash_command("/undo " + std::string(1'000'000, '1')).error().message,
              testing::SizeIs(testing::Lt(200u)));
}

TEST(SlashCommand, UnknownCommandsAreErrors) {
  for (const char* line : {"/", "//", "/undone", "/UNDO", "/undo3", "/etc/passwd"}) {
    const auto command = parse_slash_command(line);
    ASSERT_FALSE(command) << line;
    EXPECT_THAT(command.error().message, HasSubstr(line));
    EXPECT_THAT(command.error().hint, HasSubstr("/undo"));
  }
}

}  // namespace
}  // namespace expunge::service
