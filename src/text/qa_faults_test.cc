// Question files that once went wrong: each gives its items, or an error that names file and line.
#include <gmock/gmock.h>

#include "text/qa_set.h"

namespace expunge::text {
namespace {

using ::testing::HasSubstr;

std::string path_of(const std::string& name) {
  return EXPUNGE_SOURCE_DIR "/tests/data/faults/" + name + ".json";
}

void expect_same(const std::vector<QaItem>& got, const std::vector<QaItem>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_EQ(got[i].row, want[i].row);
    EXPECT_EQ(got[i].question, want[i].question);
    EXPECT_EQ(got[i].answer, want[i].answer);
    EXPECT_EQ(got[i].paraphrased, want[i].paraphrased);
    EXPECT_EQ(got[i].perturbed, want[i].perturbed);
  }
}

TEST(QaFaults, OtherFormsOfTheSameItems) {
  const auto want = read_qa(path_of("ok")).value();
  ASSERT_EQ(want.size(), 6);
  for (const char* form : {"array", "array_indent", "crlf_bom"}) {
    const auto got = read_qa(path_of(form));
    ASSERT_TRUE(got) << form << ": " << got.error().message;
    expect_same(*got, want);
  }
  EXPECT_EQ(read_qa(path_of("array"), 2).value().size(), 2);
}

TEST(QaFaults, OtherScriptsAreReadAsTheyAre) {
  const auto items = read_qa(path_of("unicode")).value();
  ASSERT_EQ(items.size(), 3);
  EXPECT_EQ(items[0].answer, "東京です");
  EXPECT_EQ(items[1].answer, "القاهرة");
}

TEST(QaFaults, AnItemWithoutWrongAnswersIsReported) {
  EXPECT_TRUE(read_qa(path_of("one_empty_perturbed")).value()[3].perturbed.empty());
}

TEST(QaFaults, ErrorsNameFileAndLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"badutf8", ".json:1: not valid JSON"},
      {"blank", ".json holds no question"},
      {"blank_answer", ".json:3: 'answer' is empty"},
      {"concat", ".json:1: not valid JSON"},
      {"dupkey", ".json:1: the key 'question' is there twice"},
      {"empty_answer", ".json:3: 'answer' is empty"},
      {"empty_perturbed_text", ": 'perturbed_answer' is empty"},
      {"empty_question", ".json:3: 'question' is empty"},
      {"lone_surrogate", ".json:1: not valid JSON"},
      {"null_answer", ".json:3: 'answer' must be a text"},
      {"number_answer", ".json:3: 'answer' must be a text"},
      {"tofu_idk_like", ".json:1: 'answer' must be a text"},
      {"trailing_comma", ".json:1: not valid JSON"},
      {"utf16", ".json:1: the text is UTF-16"},
  };
  for (const auto& [name, message] : cases) {
    const auto items = read_qa(path_of(name));
    ASSERT_FALSE(items) << name;
    EXPECT_EQ(items.error().code, base::Code::kInvalid) << name;
    EXPECT_THAT(items.error().message, HasSubstr(message));
    EXPECT_THAT(items.error().message, HasSubstr(std::string("/") + name + ".json"));
  }
}

}  // namespace
}  // namespace expunge::text
