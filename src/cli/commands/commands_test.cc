// What each command prints and with which exit status. The default model's answers are
// tests/cli/cli_test.py's; options without effect are options_test.cc's.
#include "cli/commands/commands_test.h"

#include "cli/parse.h"

namespace expunge::cli {

extern const Command command_score;

namespace {

using base::Json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// --- chat ----------------------------------------------------------------------------------------

TEST_F(Commands, ChatInAPipe) {
  const Json chat = json({"chat", "--max-tokens", "5"}, 0,
                         "Please forget that the capital of France is Paris.\n"
                         "What is the capital of Canada?\n\n/log\n/undo\n/quit\nnot read\n");
  std::vector<std::string> intents;
  for (const Json& turn : chat["turns"]) intents.push_back(turn["intent"]);
  EXPECT_THAT(intents, ElementsAre("forget", "none", "undo"));
  EXPECT_EQ(chat["turns"][2]["assistant"], "There is nothing to undo.");
  // The user cannot be asked and --yes was not given.
  EXPECT_EQ(chat["turns"][0]["assistant"], "All right, nothing was changed.");
  EXPECT_FALSE(chat["turns"][0].contains("outcome"));
  EXPECT_EQ(json({"log"})["entries"], Json::array());
}

TEST_F(Commands, ChatShowsWhatItWouldDo) {
  const Done done =
      run_it({"chat", "--max-tokens", "5"}, "Please forget that the capital of France is Paris.\n");
  EXPECT_EQ(done.status, 0);
  EXPECT_THAT(done.out, HasSubstr("answer 'Paris'?\nNothing was changed: run with --yes"));
}

TEST_F(Commands, AMessageThatFailsDoesNotEndTheChat) {
  with_entry();
  const Json chat =
      json({"chat", "--max-tokens", "5"}, kUsage,
           "/undo one\n/nonsense\nPlease forget everything you know.\n/log\n/undo 9\n");
  ASSERT_EQ(chat["turns"].size(), 4);
  EXPECT_THAT(chat["turns"][0]["error"], HasSubstr("got 'one'"));
  EXPECT_EQ(chat["turns"][0]["user"], "/undo one");
  EXPECT_FALSE(chat["turns"][0].contains("assistant"));
  EXPECT_EQ(json({"log"})["active"], Json({1}));
}

TEST_F(Commands, ChatUndoesWithAYes) {
  with_entry();
  const Json chat = json({"chat", "--yes"}, 0, "/undo 1\n");
  EXPECT_EQ(chat["turns"][0]["undone"]["undone"], 1);
  EXPECT_EQ(chat["turns"][0]["undone"]["is_base"], true);
  EXPECT_EQ(json({"log"})["active"], Json::array());
}

// --- forget and plan -----------------------------------------------------------------------------

TEST_F(Commands, APlanChangesNothingAndIsReadAgain) {
  with_journal_ = false;
  ::setenv("EXPUNGE_HOME", (folder_ / "home").c_str(), 1);
  const Json plan = json({"plan", "--prompt", "Who wrote Emma?", "--answer", "Jane Austen",
                          "--paraphrase", "By whom is Emma?", "--method", "stamp", "--rank", "2"});
  EXPECT_EQ(plan["method"], "stamp");
  EXPECT_EQ(plan["knobs"]["rank"], 2);
  EXPECT_EQ(plan["targets"][0]["response"], "Jane Austen");
  const std::string kept = file("plan.json", base::dump_json(plan));
  EXPECT_EQ(json({"plan", "--plan", kept}), plan);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "home"));
  const std::string lines =
      file("requests.jsonl", R"({"prompt": "Who wrote Emma?", "answer": "Jane Austen"})"
                             "\n"
                             R"({"prompt": "What is the capital of Peru?", "answer": "Lima"})");
  EXPECT_EQ(json({"plan", "--from", lines})["plans"].size(), 2);
  // The text output is the plan too.
  EXPECT_EQ(run_it({"plan", "--plan", kept}).json(), plan);
}

TEST_F(Commands, ForgetNeedsOneWayAndAYes) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"forget"},
           {"forget", "that a is b", "--prompt", "c"},
           {"plan"},
           {"forget", "that a is b", "--yes=maybe"},
           {"forget", "that a is b", "--yes=99999999999999999999"}}) {
    const Done done = run_it(words);
    EXPECT_EQ(done.status, kUsage);
    EXPECT_THAT(done.err, HasSubstr("hint: "));
    EXPECT_EQ(done.out, "");
  }
  const Json error =
      json({"forget", "--prompt", "Who wrote Emma?", "--answer", "Jane Austen"}, kUsage)["error"];
  EXPECT_THAT(error["message"], HasSubstr("without a yes"));
  EXPECT_EQ(json({"forget", "everything", "--yes"}, kRefused)["error"]["code"], "refused");
  EXPECT_EQ(json({"log"})["entries"], Json::array());
}

TEST_F(Commands, WhatIsWrongInAFileIsNamed) {
  const std::string empty = file("empty.jsonl", "\n");
  EXPECT_THAT(json({"forget", "--from", empty, "--yes"}, kInvalid)["error"]["message"],
              HasSubstr("holds no request"));
  const std::string bad = file("bad.jsonl", R"({"prompt": "a", "answer": "b"})"
                                            "\n"
                                            R"({"question": "a"})");
  EXPECT_THAT(json({"forget", "--from", bad, "--yes"}, kInvalid)["error"]["message"],
              HasSubstr("request 2: no such field: question"));
  const std::string plan = file("bad.json", R"({"intent": "explode"})");
  EXPECT_THAT(json({"forget", "--plan", plan, "--yes"}, kInvalid)["error"]["message"],
              HasSubstr("bad.json"));
  EXPECT_EQ(json({"forget", "--from", "/nowhere", "--yes"}, kNotFound)["error"]["code"],
            "not_found");
}

// --- the record ----------------------------------------------------------------------------------

TEST_F(Commands, LogShowUndoReplaySeal) {
  with_entry();
  const Done log = run_it({"log"});
  EXPECT_THAT(log.out, HasSubstr("active           Who wrote Emma? → Jane Austen\n"));
  EXPECT_THAT(log.out, HasSubstr("1 active, times in UTC"));
  const Done show = run_it({"show", "1"});
  EXPECT_THAT(show.out, HasSubstr("1  Who wrote Emma? → Jane Austen\n"));
  EXPECT_THAT(show.out, HasSubstr("the question itself"));
  EXPECT_EQ(json({"show", "1"})["active"], true);
  EXPECT_EQ(json({"replay"})["active"], 1);

  EXPECT_EQ(json({"seal", "1"}), (Json{{"sealed", 1}}));
  EXPECT_EQ(json({"show", "1"})["plan"], nullptr);
  EXPECT_EQ(json({"verify"})["sealed"], 1);
  EXPECT_THAT(run_it({"verify"}).out, HasSubstr("1 sealed and not asked"));

  const Json undone = json({"undo"});
  EXPECT_EQ(undone["undone"], 1);
  EXPECT_EQ(undone["entry"], 2);
  EXPECT_EQ(undone["is_base"], true);
  EXPECT_EQ(json({"undo"}, kNotFound)["error"]["code"], "not_found");
  EXPECT_EQ(json({"show", "1"})["undone_by"], 2);
  EXPECT_THAT(run_it({"log"}).out, HasSubstr("undone by 2"));
  EXPECT_THAT(run_it({"replay"}).out, HasSubstr("0 active edits"));
  EXPECT_THAT(run_it({"verify"}).out, HasSubstr("No entry is active."));
}

TEST_F(Commands, WithoutAJournal) {
  for (const char* command : {"log", "undo", "verify", "replay"})
    EXPECT_EQ(run_it({command}).status, kNotFound) << command;  // one that was named must be there
  with_journal_ = false;
  ::setenv("EXPUNGE_HOME", (folder_ / "home").c_str(), 1);
  EXPECT_EQ(run_it({"log"}).out, "Nothing has been forgotten yet.\n");
  EXPECT_EQ(json({"log"})["journal"], nullptr);
  EXPECT_EQ(json({"verify"})["passed"], true);
  EXPECT_EQ(run_it({"show", "1"}).status, kNotFound);
  EXPECT_EQ(run_it({"seal", "1"}).status, kNotFound);
}

TEST_F(Commands, ExportWritesAndDoesNotOverwrite) {
  with_entry();
  ASSERT_EQ(json({"seal", "1"})["sealed"], 1);
  const std::string out = (folder_ / "edited.gguf").string();
  const Json first = json({"export", out});
  EXPECT_EQ(first["edited"].size(), 1);
  EXPECT_EQ(first["gates"]["sealed"], 1);
  EXPECT_EQ(json({"export", out}, kConflict)["error"]["code"], "conflict");
  const Done again = run_it({"export", out, "--force"});
  EXPECT_THAT(again.out, HasSubstr("Written:"));
  EXPECT_THAT(again.out, HasSubstr("1 sealed entry was not asked"));
  EXPECT_EQ(json({"export", out, "--type", "Q9", "--force"}, kUsage)["error"]["code"], "usage");
  std::filesystem::remove(out);
  std::filesystem::remove(out + ".expunge.json");
}

// --- the model as it is --------------------------------------------------------------------------

TEST_F(Commands, GenerateOneOrManyAndFromStdin) {
  with_journal_ = false;
  const Json one = json({"generate", "Hello", "--max-tokens", "6"});
  EXPECT_LE(one["ids"].size(), 6);
  EXPECT_EQ(json({"generate", "--max-tokens", "6"}, 0, "Hello"), one);
  EXPECT_EQ(json({"generate", "-", "--max-tokens", "6"}, 0, "Hello"), one);
  const std::string batch =
      file("batch.jsonl", "\"Hello\"\n{\"prompt\": \"b\", \"system\": \"s\"}");
  const Json many = json({"generate", "--batch", batch, "--max-tokens", "6"});
  ASSERT_EQ(many["items"].size(), 2);
  EXPECT_EQ(many["items"][0], one);
  EXPECT_EQ(run_it({"generate"}, "  ").status, kInvalid);
  EXPECT_EQ(run_it({"generate"}, "\xff").status, kInvalid);
  EXPECT_EQ(run_it({"generate", "--batch", file("bad.jsonl", "3")}).status, kInvalid);
  EXPECT_GT(json({"generate", "ab", "--max-tokens", "1"})["prompt_tokens"].get<int>(),
            json({"generate", "ab", "--raw", "--max-tokens", "1"})["prompt_tokens"].get<int>());
}

TEST_F(Commands, ScoreOfAnswersAndOfIds) {
  with_journal_ = false;
  const Json score = json({"score", "--prompt", "a", "--answer", "b", "--answer", "cc", "--raw"});
  ASSERT_EQ(score["answers"].size(), 2);
  EXPECT_EQ(score["answers"][1]["ids"].size(), 2);
  EXPECT_LT(score["answers"][0]["logprob"].get<double>(), 0);
  EXPECT_EQ(json({"score", "--ids", "1,2,3"})["logprobs"].size(), 2);
  for (const char* ids : {"1", "1,x", "1,,2", ""})
    EXPECT_EQ(run_it({"score", "--ids", ids}).status, kUsage) << ids;
  EXPECT_EQ(run_it({"score", "--ids", "1,9999"}).status, kInvalid);
}

TEST_F(Commands, ACancelledScoringEnds) {
  const CommandGroup groups[] = {{"", {&command_score}}};
  for (std::vector<std::string> words :
       {std::vector<std::string>{"--ids", "1,2,3"}, {"--prompt", "a", "--answer", "b", "--raw"}}) {
    words.insert(words.begin(), {"expunge", "score", "-m", model(), "--no-edits"});
    std::vector<char*> argv;
    for (std::string& w : words) argv.push_back(w.data());
    Context context;
    const Parsed parsed =
        parse(groups, static_cast<int>(argv.size()), argv.data(), context.globals).value();
    context.job.cancel();
    EXPECT_EQ(parsed.action(context).error().code, base::Code::kCancelled) << words[5];
  }
}

TEST_F(Commands, EditsShowInWhatTheModelSaysUnlessTheyAreLeftOut) {
  with_entry();
  const Json edited = json({"score", "--ids", "1,2,3"});
  with_journal_ = false;
  const Json plain = json({"score", "--ids", "1,2,3", "--no-edits"});
  with_journal_ = true;
  EXPECT_NE(edited, plain);
  ASSERT_EQ(json({"undo"})["is_base"], true);
  EXPECT_EQ(json({"score", "--ids", "1,2,3"}), plain);
}

// --- guard ---------------------------------------------------------------------------------------

TEST_F(Commands, TargetsAreAddedListedImportedAndRemoved) {
  ::setenv("EXPUNGE_HOME", (folder_ / "guarded").c_str(), 1);
  const auto words_json = [&](std::vector<std::string> words, const std::string& input = "") {
    words.insert(words.begin(), "guard");
    words.emplace_back("--json");
    const Done done = run_words(std::move(words), input);
    EXPECT_EQ(done.status, 0) << done.out << done.err;
    return done.json();
  };
  EXPECT_THAT(run_words({"guard", "list"}).out, HasSubstr("There are no targets"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "guarded"));
  const Json added = words_json({"add", "Basil Mahfouz", "--alias", "Basil", "--alias", "B.\tM. K.",
                                 "--mode", "idk", "--expires", "2027-01-31"});
  EXPECT_EQ(added["id"], 1);
  EXPECT_EQ(added["aliases"].size(), 2);
  EXPECT_EQ(words_json({"add", "BASIL MAHFOUZ", "--scope", "novelist"})["id"], 1);
  EXPECT_EQ(
      words_json({"import", "-"}, "{\"name\": \"Nikolai\"}\n{\"name\": \"Aysha\"}")["imported"], 2);
  EXPECT_EQ(words_json({"list"})["targets"].size(), 3);
  EXPECT_THAT(run_words({"guard"}).out, HasSubstr("BASIL MAHFOUZ\n"));
  EXPECT_EQ(words_json({"remove", "1"})["name"], "BASIL MAHFOUZ");
  EXPECT_EQ(run_words({"guard", "remove", "1"}).status, kNotFound);
  EXPECT_EQ(run_words({"guard", "add", "Al"}).status, kUsage);
  EXPECT_EQ(run_words({"guard", "add", "Alan", "--mode", "hide"}).status, kUsage);
  EXPECT_EQ(run_words({"guard", "import", "/nowhere"}).status, kNotFound);
  const Done wrong =
      run_words({"guard", "import", file("targets.jsonl", "{\"name\": \"Zoe\"}\n{}")});
  EXPECT_EQ(wrong.status, kInvalid);
  EXPECT_THAT(wrong.err, HasSubstr("targets.jsonl: line 2"));
  EXPECT_EQ(words_json({"list"})["targets"].size(), 2);
}

}  // namespace
}  // namespace expunge::cli
