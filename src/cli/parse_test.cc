#include "cli/parse.h"

#include <gmock/gmock.h>

#include <map>

#include "cli/layout.h"

namespace expunge::cli {
namespace {

using base::Code;
using ::testing::HasSubstr;
using ::testing::Not;

// The last action's arguments.
std::string g_seen;

const Command kEcho{"echo", "say it again", "Example:\n  expunge echo hello",
                    [](Arguments& cli) -> Action {
                      auto text = std::make_shared<std::string>();
                      auto times = std::make_shared<int>(1);
                      cli.add_option("text", *text, "what is said")->type_name("")->required();
                      cli.add_option("--times", *times,
                                     "how often, a help text long enough that "
                                     "it does not fit in one line of the help")
                          ->type_name("N")
                          ->range(1, 9);
                      return [text, times](Context&) {
                        g_seen = fmt::format("{} {}", *text, *times);
                        return base::Result<Answer>(Answer{});
                      };
                    }};
const Command kRuled{"ruled",
                     "takes the model and the threads",
                     "",
                     [](Arguments& cli) -> Action {
                       auto inner = std::make_shared<bool>(false);
                       cli.add_subcommand("inner", *inner, "the same");
                       return [inner](Context&) { return base::Result<Answer>(Answer{}); };
                     },
                     {Common::kModel, Common::kThreads}};
const CommandGroup kGroups[] = {{"Say", {&kEcho}}, {"Other", {&kRuled}}};

base::Result<Parsed> parse_words(std::vector<std::string> words, Globals& globals) {
  words.insert(words.begin(), "expunge");
  std::vector<char*> argv;
  for (std::string& w : words) argv.push_back(w.data());
  return parse(kGroups, static_cast<int>(argv.size()), argv.data(), globals);
}
base::Result<Parsed> parse_words(std::vector<std::string> words) {
  Globals globals;
  return parse_words(std::move(words), globals);
}

TEST(Parse, OptionsBeforeAndAfterTheCommand) {
  Globals g;
  const auto parsed =
      parse_words({"-m", "a.gguf", "echo", "hi", "--times", "3", "--json", "-q"}, g);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_FALSE(parsed->text);
  EXPECT_EQ(g.model, "a.gguf");
  EXPECT_TRUE(g.json);
  EXPECT_TRUE(g.quiet);
  Context context;
  ASSERT_TRUE(parsed->action(context));
  EXPECT_EQ(g_seen, "hi 3");
}

TEST(Parse, WrongUseHasAHintThatNamesTheCommand) {
  for (const auto& words : std::vector<std::vector<std::string>>{{"echo"},
                                                                 {"echo", "a", "--times", "0"},
                                                                 {"echo", "a", "b"},
                                                                 {"echo", "a", "--nonsense"}}) {
    const auto parsed = parse_words(words);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code, Code::kUsage);
    EXPECT_EQ(parsed.error().hint, "'expunge echo --help' lists what it takes");
  }
  EXPECT_EQ(parse_words({"nonsense"}).error().hint, "'expunge --help' lists what it takes");
  // Control characters of an argument do not reach the terminal.
  EXPECT_THAT(parse_words({"echo", "a", "--\x1b[31m"}).error().message, Not(HasSubstr("\x1b")));
}

TEST(Parse, AWrongFlagIsAnsweredInJsonIfItWasAsked) {
  Globals g;
  EXPECT_FALSE(parse_words({"echo", "--nonsense", "--json"}, g));
  EXPECT_TRUE(g.json);
  Globals after;  // beyond "--" it is an argument
  EXPECT_TRUE(parse_words({"echo", "--", "--json"}, after));
  EXPECT_FALSE(after.json);
}

TEST(Parse, CommonOptionsThatACommandDoesNotTakeAreRefusedAndNotInItsHelp) {
  for (const auto& words :
       std::vector<std::vector<std::string>>{{"ruled", "--journal", "x.db"},
                                             {"ruled", "--journal", ""},
                                             {"ruled", "inner", "--journal", "x.db"},
                                             {"--journal", "x.db", "ruled"}}) {
    const auto refused = parse_words(words);
    ASSERT_FALSE(refused) << words.front();
    EXPECT_EQ(refused.error().code, Code::kUsage);
    EXPECT_EQ(refused.error().message, "ruled does not take --journal");
    EXPECT_THAT(refused.error().hint, HasSubstr("'expunge ruled --help'"));
  }
  // Its default value too.
  EXPECT_EQ(parse_words({"ruled", "--activations", "float"}).error().message,
            "ruled does not take --activations");
  EXPECT_TRUE(parse_words({"-q", "ruled", "inner", "-m", "x", "--threads", "2", "--json"}));
  for (const auto& help : {parse_words({"ruled", "--help"}), parse_words({"ruled", "inner", "-h"})})
    for (const auto& [flag, shown] : std::map<std::string, bool>{{"--model MODEL", true},
                                                                 {"--threads N", true},
                                                                 {"--quiet", true},
                                                                 {"--journal", false},
                                                                 {"--activations", false}})
      EXPECT_EQ(help->text->find(flag) != std::string::npos, shown) << flag;
  EXPECT_THAT(*parse_words({"echo", "--help"})->text, HasSubstr("--journal FILE"));
}

TEST(Parse, WhatWasGivenIsKnownByName) {
  Globals g;
  ASSERT_TRUE(parse_words({"-m", "a.gguf", "echo", "hi", "-q"}, g));
  EXPECT_THAT(g.names, ::testing::UnorderedElementsAre("--model", "text", "--quiet"));
  EXPECT_TRUE(g.given("--model"));
  EXPECT_FALSE(g.given("--text"));
}

TEST(Help, FitsInEightyColumnsAndListsTheGroups) {
  const std::string all = *parse_words({})->text;
  EXPECT_EQ(all, *parse_words({"--help"})->text);
  EXPECT_THAT(all, HasSubstr("\nSay:\n  echo        say it again\n"));
  EXPECT_THAT(all, HasSubstr("Usage: expunge COMMAND [options]"));
  const std::string one = *parse_words({"echo", "--help"})->text;
  EXPECT_THAT(one, HasSubstr("Usage: expunge echo text [options]"));
  EXPECT_THAT(one, HasSubstr("--times N"));
  EXPECT_THAT(one, HasSubstr("Example:\n  expunge echo hello"));
  for (const std::string& text : {all, one})
    for (size_t at = 0, end; (end = text.find('\n', at)) != text.npos; at = end + 1)
      EXPECT_LE(columns(text.substr(at, end - at)), kColumns) << text.substr(at, end - at);
}

TEST(Version, NamesLibTorchToo) {
  EXPECT_THAT(*parse_words({"--version"})->text, HasSubstr("(LibTorch "));
}

}  // namespace
}  // namespace expunge::cli
