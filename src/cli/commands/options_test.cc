// An option that a command or its mode ignores is refused; one that it uses is taken.
#include <map>

#include "cli/commands/commands_test.h"

namespace expunge::cli {
namespace {

using base::Json;
using ::testing::HasSubstr;

class Options : public Commands {};

TEST_F(Options, TakeTheCommonOptionsThatTheyUse) {
  const std::vector<std::string> none = {"--model", "--journal", "--threads", "--activations"};
  const std::vector<std::string> computes_nothing = {"--threads", "--activations"};
  const std::map<std::string, std::vector<std::string>> refused = {
      {"metrics", none},
      {"suites", none},
      {"methods", none},
      {"log", computes_nothing},
      {"show", computes_nothing},
      {"seal", computes_nothing},
      {"demo", {"--journal"}},
      {"bench", {"--journal"}},
      {"finetune", {"--journal", "--activations"}},
      {"sweep", {"--model", "--activations"}},
      {"unlearn", {"--activations"}}};
  const std::map<std::string, std::string> arguments = {
      {"show", "1"}, {"seal", "1"}, {"sweep", "x.toml"}};
  for (const auto& [command, options] : refused)
    for (const std::string& option : options) {
      std::vector<std::string> words = {command};
      if (const auto it = arguments.find(command); it != arguments.end())
        words.push_back(it->second);
      if (command == "unlearn") words.insert(words.end(), {"--forget", "x", "--out", "y"});
      if (command == "finetune") words.insert(words.end(), {"--data", "x", "--out", "y"});
      words.insert(words.end(), {option, option == "--threads"       ? "1"
                                         : option == "--activations" ? "q8"
                                                                     : "nosuch"});
      expect_refused(words, fmt::format("{} does not take {}", command, option));
    }
}

TEST_F(Options, RefuseOptionsThatTheModeIgnores) {
  const std::string set = file("set.json", R"({"question": "a", "answer": "b"})");
  const std::string plan = file("plan.json", "{}");
  const std::string system = "--system has no effect: --raw leaves out the chat template";
  for (const auto& [words, message] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"score", "--ids", "1,2", "--answer", "b"}, "--answer has no effect"},
           {{"score", "--ids", "1,2", "--raw"}, "--raw has no effect"},
           {{"score", "--ids", "1,2", "--system", "s"}, "--system has no effect"},
           {{"score", "--prompt", "a", "--answer", "b", "--raw", "--system", "s"}, system},
           {{"score", "--ids", "1,2", "--no-edits", "--journal", "x"}, "--journal has no effect"},
           {{"generate", "a", "--raw", "--system", "s"}, system},
           {{"generate", "a", "--top-k", "5"}, "--top-k has no effect: at --temperature 0"},
           {{"generate", "a", "--top-p", "0.5"}, "--top-p has no effect"},
           {{"generate", "a", "--min-p", "0.5"}, "--min-p has no effect"},
           {{"generate", "a", "--seed", "3", "--temperature", "0"}, "--seed has no effect"},
           {{"generate", "a", "--no-edits", "--journal", "x"}, "--journal has no effect"},
           {{"plan", "--prompt", "a", "--watchdog", "http://x"}, "--watchdog has no effect"},
           {{"forget", "--plan", plan, "--watchdog", "http://x"}, "--watchdog has no effect"},
           {{"forget", "--from", set, "--watchdog", "http://x"}, "--watchdog has no effect"},
           {{"plan", "--plan", plan, "--surgeon", "http://x"}, "--surgeon has no effect"},
           {{"finetune", "a", "-m", "b", "--data", set, "--out", "o"}, "named twice"},
           {{"unlearn", "a", "-m", "b", "--forget", set, "--out", "o"}, "named twice"},
           {{"eval", "a", "-m", "b"}, "named twice"},
           {{"unlearn", "--forget", set, "--data", "d", "--out", "o"}, "--data has no effect"},
           {{"verify", "--forget", set, "--data", "d"}, "--data has no effect"},
           {{"verify", "--data", "d"}, "--data has no effect"},
           {{"eval", "--forget", set, "--sets", "forget", "--data", "d"}, "--data has no effect"},
           {{"eval", "--from-logs", set, "--activations", "q8"}, "does not take --activations"},
           {{"eval", "--from-logs", set, "--threads", "1"}, "does not take --threads"},
           {{"bench", "facts", set, "--written", "Q4_1"}, "--written has no effect"},
           {{"sweep", "x.toml", "--job", "0", "--slurm", "x"}, "--job excludes --slurm"}})
    expect_refused(words, message);
}

TEST_F(Options, TheSystemMessageOfABatchsPromptIsNotLostToRaw) {
  with_journal_ = false;
  const std::string batch = file("b.jsonl", "\"a\"\n{\"prompt\": \"b\", \"system\": \"s\"}");
  const Done done = run_it({"generate", "--batch", batch, "--raw"});
  EXPECT_EQ(done.status, kInvalid);
  EXPECT_THAT(done.err, HasSubstr("prompt 2 has a system message"));
}

TEST_F(Options, AModelThatIsNamedByItselfIsNamedOnce) {
  const std::string set = file("set.json", R"({"question": "a", "answer": "b"})");
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"finetune", "/nosuch.gguf", "--data", set, "--out", "o"},
           {"unlearn", "/nosuch.gguf", "--forget", set, "--out", "o"}}) {
    const Done done = run_words(words);
    EXPECT_EQ(done.status, kNotFound) << done.err;
    EXPECT_THAT(done.err, HasSubstr("nosuch.gguf"));
  }
}

TEST_F(Options, OptionsThatTheModeUsesAreTaken) {
  with_journal_ = false;
  ::setenv("EXPUNGE_HOME", (folder_ / "home").c_str(), 1);
  const std::vector<std::string> sampled = {"generate", "a", "--max-tokens",  "4", "--top-k", "5",
                                            "--seed",   "3", "--temperature", "1"};
  EXPECT_EQ(json(sampled), json(sampled));
  EXPECT_EQ(json({"generate", "a", "--no-edits", "--repetition-penalty", "2"})["stop"].is_string(),
            true);
  EXPECT_EQ(json({"verify", "--threads", "1", "--activations", "q8"})["passed"], true);
  EXPECT_EQ(json({"log"})["entries"], Json::array());
}

}  // namespace
}  // namespace expunge::cli
