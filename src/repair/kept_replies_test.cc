// What the unedited model replies is asked once, and its file holds no words.
#include "repair/kept_replies.h"

#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/files.h"
#include "planted_wordings.h"
#include "verify/base_replies.h"

namespace expunge::repair {
namespace {

using tests::Ids;

class KeptRepliesTest : public ::testing::Test {
 protected:
  void SetUp() override { ::setenv("EXPUNGE_CACHE", (folder_ / "cache").c_str(), 1); }
  void TearDown() override { ::unsetenv("EXPUNGE_CACHE"); }
  std::string file() const {
    std::vector<std::string> files;
    for (const auto& f : std::filesystem::recursive_directory_iterator(folder_ / "cache"))
      if (f.is_regular_file()) files.push_back(f.path().string());
    EXPECT_EQ(files.size(), 1);
    return files.empty() ? "" : files[0];
  }
  static std::vector<Ids> asked(const std::vector<Ids>& prompts) {
    model::GenerateOptions options;
    options.max_new_tokens = KeptReplies::kTokens;
    const model::Model& base = tests::planted_chat().model;
    std::vector<Ids> replies;
    const auto generated = model::generate(base, prompts, options).value();
    for (const auto& g : generated) replies.push_back(verify::reply_ids(g));
    return replies;
  }
  const std::vector<Ids> prompts_ = {tests::question(0, 5), tests::subject_first(1, 6),
                                     tests::question(0, 5)};
  tests::TempDir folder_;
};

TEST_F(KeptRepliesTest, AreTheModelsOwnAndAskedOnce) {
  KeptReplies first(tests::planted_chat());
  EXPECT_EQ(first.of(prompts_).value(), asked(prompts_));
  const std::string path = file(), bytes = base::read_file(path).value();
  const auto written = std::filesystem::last_write_time(path);
  KeptReplies second(tests::planted_chat());
  EXPECT_EQ(second.of(prompts_).value(), asked(prompts_));
  EXPECT_EQ(std::filesystem::last_write_time(path), written);
  EXPECT_TRUE(second.of({})->empty());
  // Another question is added to the same file.
  const std::vector<Ids> more = {tests::question(2, 7)};
  EXPECT_EQ(second.of(more).value(), asked(more));
  EXPECT_GT(base::read_file(file())->size(), bytes.size());
}

TEST_F(KeptRepliesTest, TheFileHoldsNoPrompt) {
  KeptReplies replies(tests::planted_chat());
  ASSERT_TRUE(replies.of(prompts_));
  const auto json = base::read_json(file()).value();
  EXPECT_EQ(json.size(), 2);
  for (const auto& entry : json.items()) EXPECT_EQ(entry.key().size(), 32);
}

// The ids spell what the model said to a user's questions.
TEST_F(KeptRepliesTest, OnlyTheOwnerMayReadTheFile) {
  const mode_t before = ::umask(0);
  EXPECT_TRUE(KeptReplies(tests::planted_chat()).of(prompts_));
  ::umask(before);
  EXPECT_EQ(std::filesystem::status(file()).permissions(), std::filesystem::perms(0600));
}

TEST_F(KeptRepliesTest, WhatIsDamagedIsAskedAgain) {
  ASSERT_TRUE(KeptReplies(tests::planted_chat()).of(prompts_));
  const std::string path = file(), whole = base::read_file(path).value();
  for (const std::string& damaged :
       {std::string("nonsense"), whole.substr(0, whole.size() / 2), std::string("[1]"),
        std::string(R"({"00000000000000000000000000000000": [99999, -1]})")}) {
    ASSERT_TRUE(base::write_file_atomic(path, damaged));
    EXPECT_EQ(KeptReplies(tests::planted_chat()).of(prompts_).value(), asked(prompts_));
  }
}

TEST_F(KeptRepliesTest, ACancelledJobAsksNothing) {
  const base::Job job;
  job.cancel();
  KeptReplies replies(tests::planted_chat());
  EXPECT_EQ(replies.of(prompts_, job).error().code, base::Code::kCancelled);
}

}  // namespace
}  // namespace expunge::repair
