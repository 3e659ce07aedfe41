// The base model's replies are asked once, stored as a file, and asked again if it is damaged.
#include "repair/base_replies.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "tiny_chat.h"

namespace expunge::repair {
namespace {

class LoadBaseReplies : public testing::Test {
 protected:
  void SetUp() override { ::setenv("EXPUNGE_CACHE", (folder_ / "cache").c_str(), 1); }
  void TearDown() override { ::unsetenv("EXPUNGE_CACHE"); }
  std::vector<std::string> files() const {
    std::vector<std::string> list;
    for (const auto& f : std::filesystem::recursive_directory_iterator(folder_ / "cache"))
      if (f.is_regular_file()) list.push_back(f.path().string());
    return list;
  }
  static void expect_same(const verify::BaseReplies& a, const verify::BaseReplies& b) {
    ASSERT_EQ(a.unrelated.size(), b.unrelated.size());
    ASSERT_EQ(a.texts.size(), b.texts.size());
    for (size_t i = 0; i < a.unrelated.size(); ++i) {
      EXPECT_EQ(a.unrelated[i].prompt, b.unrelated[i].prompt);
      EXPECT_EQ(a.unrelated[i].reply, b.unrelated[i].reply);
      EXPECT_TRUE(a.unrelated[i].entering.equal(b.unrelated[i].entering));
    }
    for (size_t i = 0; i < a.texts.size(); ++i) EXPECT_EQ(a.texts[i].ids, b.texts[i].ids);
  }
  const agent::Wordings& wordings_ = agent::Wordings::builtin();
  tests::TempDir folder_;
  const model::ChatModel chat_ = tests::planted_chat(4096);
};

TEST_F(LoadBaseReplies, AreKeptForTheModelAndTheLayer) {
  const auto first = load_base_replies(chat_, wordings_, 1).value();
  EXPECT_EQ(first.unrelated.size(), 12);
  ASSERT_EQ(files().size(), 1);
  const auto written = std::filesystem::last_write_time(files()[0]);
  expect_same(load_base_replies(chat_, wordings_, 1).value(), first);
  EXPECT_EQ(std::filesystem::last_write_time(files()[0]), written);
  ASSERT_TRUE(load_base_replies(chat_, wordings_, 2));
  EXPECT_EQ(files().size(), 2);
}

TEST_F(LoadBaseReplies, ADamagedFileIsMadeAgain) {
  const auto first = load_base_replies(chat_, wordings_, 1).value();
  const std::string path = files().at(0), whole = base::read_file(path).value();
  for (const std::string& damaged : {std::string("nonsense"), whole.substr(0, whole.size() / 2)}) {
    ASSERT_TRUE(base::write_file_atomic(path, damaged));
    expect_same(load_base_replies(chat_, wordings_, 1).value(), first);
    EXPECT_EQ(base::read_file(path).value(), whole);
  }
}

TEST_F(LoadBaseReplies, ACancelledJobStoresNothing) {
  const base::Job job;
  job.cancel();
  EXPECT_EQ(load_base_replies(chat_, wordings_, 1, job).error().code, base::Code::kCancelled);
  EXPECT_THAT(files(), testing::IsEmpty());
}

}  // namespace
}  // namespace expunge::repair
