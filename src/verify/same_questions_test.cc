#include "verify/same_questions.h"

#include <gmock/gmock.h>

namespace expunge::verify {
namespace {

using ::testing::HasSubstr;

TEST(SameQuestionsTest, RowsAndTextsMustAgree) {
  const Questions own = {{"forget", {{0, "Who?"}, {1, "Where?"}, {4, "When?"}}}};
  EXPECT_TRUE(same_questions(own, own, "f"));
  EXPECT_TRUE(same_questions(own, {}, "f"));  // a set that is missing is absent with its reason
  Questions other = own;
  other["retain"] = {{0, "more"}};
  EXPECT_TRUE(same_questions(own, other, "f"));
  other["forget"][1] = "Why?";
  const auto error = same_questions(own, other, "log.json").error();
  EXPECT_EQ(error.code, base::Code::kConflict);
  EXPECT_EQ(error.message,
            "log.json is of other questions: forget row 1 is 'Why?', expected 'Where?'");
  EXPECT_THAT(error.hint, HasSubstr("--force"));
}

TEST(SameQuestionsTest, NamesTheFirstRowOfOneAlone) {
  const Questions own = {{"forget", {{0, "a"}, {1, "b"}}}};
  EXPECT_THAT(
      same_questions(own, {{"forget", {{0, "a"}, {1, "b"}, {2, "c"}}}}, "f").error().message,
      HasSubstr("3 rows of forget, expected 2; the first one too many is row 2"));
  EXPECT_THAT(same_questions(own, {{"forget", {{1, "b"}}}}, "f").error().message,
              HasSubstr("the first one it lacks is row 0"));
  EXPECT_THAT(same_questions(own, {{"forget", {}}}, "f").error().message,
              HasSubstr("the first one it lacks is row 0"));
}

TEST(SameQuestionsTest, APromptHoldsItsQuestion) {
  EXPECT_TRUE(same_question("Question: Who?\nAnswer: ", "Who?"));
  EXPECT_TRUE(same_question("Who?", "[INST] Who? [/INST]"));
  EXPECT_TRUE(same_question("", "Who?"));  // a log without texts
  EXPECT_FALSE(same_question("Who?", "Where?"));
}

TEST(SameQuestionsTest, LongQuestionsAreCutBetweenCharacters) {
  std::string text(59, 'x');
  text += "éé";
  const auto error =
      same_questions({{"forget", {{0, text}}}}, {{"forget", {{0, "other"}}}}, "f").error();
  EXPECT_THAT(error.message, HasSubstr("expected '" + std::string(59, 'x') + "…'"));
}

TEST(SameQuestionsTest, ASkippedItemWasAskedForToo) {
  EvalLog log;
  log.records["forget"] = {QaRecord()};
  log.records["forget"][0].question = "Who?";
  log.skipped = {{"forget", 3, "qa.json", "too long"}};
  EXPECT_EQ(questions_of(log), (Questions{{"forget", {{0, "Who?"}, {3, ""}}}}));
}

}  // namespace
}  // namespace expunge::verify
