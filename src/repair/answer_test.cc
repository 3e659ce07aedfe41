// What a correction teaches, and the begun refusals that methods steer towards.
#include "repair/answer.h"

#include <gmock/gmock.h>

#include "planted_wordings.h"
#include "repair/problem.h"

namespace expunge::repair {
namespace {

using ::testing::IsEmpty;
using tests::Ids;

// Its tokens are bytes, so a blank is one too.
const model::ChatModel& byte_chat() {
  static const model::ChatModel chat = [] {
    const tests::TempDir folder;
    const std::string path = folder / "bytes.gguf";
    tests::write_bytes(
        path, tests::gguf_image(tests::byte_config(), tensor::DType::kF32, tests::add_bytes));
    return model::load_chat_model(path).value();
  }();
  return chat;
}

agent::Target correction(std::vector<agent::Wording> rows) {
  agent::Target target;
  target.prompt = "capital?";
  target.replacement = "Lyon";
  target.rows = std::move(rows);
  return target;
}

TEST(ReplacementLessons, EachRowIsAnsweredAtOnceAndTheTurnEnds) {
  const model::ChatModel& chat = byte_chat();
  const auto lessons =
      replacement_lessons(chat, correction({{"capital?", ""}, {"Capital, please", "It is"}}))
          .value();
  ASSERT_EQ(lessons.size(), 2);
  EXPECT_EQ(lessons[0].prompt, encode(chat, "capital?").value());
  EXPECT_EQ(lessons[1].prompt, encode(chat, "Capital, please", "It is").value());
  for (const unlearn::Lesson& lesson : lessons) {
    ASSERT_FALSE(lesson.target.empty());
    EXPECT_EQ(lesson.target.back(), tests::kImEnd);
  }
  EXPECT_THAT(replacement_lessons(chat, correction({})).value(), IsEmpty());
}

// A blank parts the answer from a begun reply that has none at its end.
TEST(ReplacementLessons, NoWordRunsIntoTheAnswer) {
  const model::ChatModel& chat = byte_chat();
  const auto said = [&](const std::string& prefill) {
    Ids ids = replacement_lessons(chat, correction({{"capital?", prefill}})).value()[0].target;
    ids.pop_back();  // the end of the turn
    return chat.tokenizer.decode(ids).value();
  };
  EXPECT_EQ(said(""), "Lyon.");
  EXPECT_EQ(said("It is"), " Lyon.");
  EXPECT_EQ(said("It is "), "Lyon.");
}

TEST(ReplacementLessons, AModelWithoutAnEndOfTurnLearnsTheWordsAlone) {
  model::Arch arch = tests::tiny_arch();
  arch.end_ids.clear();
  const auto chat = tests::character_chat().with(*tests::random_model(arch, 1));
  agent::Target target = correction({{tests::chars(tests::question(0, 1)), ""}});
  target.replacement = "B";
  EXPECT_EQ(replacement_lessons(chat, target).value()[0].target,
            chat.tokenizer.encode("B.").value().ids);
}

TEST(RefusalRows, AreUnrelatedQuestionsUpToTheRefusalsLastWords) {
  const agent::Wordings& wordings = tests::planted_wordings();
  const auto rows = refusal_rows(tests::planted_chat(), wordings).value();
  ASSERT_EQ(rows.size(), wordings.unrelated.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].ids,
              encode(tests::planted_chat(), wordings.unrelated[i], wordings.refusal_begun).value());
    EXPECT_EQ(rows[i].ids.back(), tests::kI);
    EXPECT_EQ(rows[i].position, -1);  // the token at which the refusal goes on
    EXPECT_EQ(rows[i].count, 1);
  }
}

TEST(RefusalRows, AreAtMostTwentyFour) {
  const agent::Wordings& wordings = agent::Wordings::builtin();
  ASSERT_GT(wordings.unrelated.size(), 24);
  const auto rows = refusal_rows(byte_chat(), wordings).value();
  ASSERT_EQ(rows.size(), 24);
  EXPECT_EQ(rows[23].ids,
            encode(byte_chat(), wordings.unrelated[23], wordings.refusal_begun).value());
}

}  // namespace
}  // namespace expunge::repair
