#include "unlearn/examples.h"

#include <gmock/gmock.h>

#include "tiny.h"
#include "tiny_vocab.h"

namespace expunge::unlearn {
namespace {

using ::testing::HasSubstr;

const model::ChatModel& chat_model() {
  static const model::ChatModel* tiny = [] {
    model::Arch c = tests::tiny_arch();  // a context of 64 tokens, here bytes
    c.vocab_size = 272;
    const tests::ByteVocab bytes;
    return new model::ChatModel{
        "", model::Model::from_weights(c, tests::random_weights(c, 4)).value(),
        text::Tokenizer::from_gguf(bytes.vocab).value(),
        text::ChatTemplate::compile(
            "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>"
            "{% endfor %}{% if add_generation_prompt %}<|im_start|>{% endif %}",
            "", "<|im_end|>")
            .value()};
  }();
  return *tiny;
}

text::QaItem item(int64_t row, size_t question, size_t answer) {
  return {row, std::string(question, 'q'), std::string(answer, 'a'), {}, {}};
}

std::vector<int32_t> tail(const model::Example& e) {
  return {e.ids.begin() + static_cast<std::ptrdiff_t>(e.first), e.ids.end()};
}

TEST(EncodeSets, WhatExceedsTheContextIsLeftOutAndCounted) {
  const std::vector<text::QaItem> forget{item(0, 2, 2), item(1, 2, 100), item(2, 3, 3),
                                         item(3, 60, 1)},
      retain{item(0, 100, 1), item(1, 4, 4)};
  const EncodedSets sets = encode_sets(chat_model(), forget, retain, "", 1).value();
  ASSERT_EQ(sets.forget_skipped.size(), 2U);
  EXPECT_EQ(sets.forget_skipped[0].index, 1U);
  EXPECT_EQ(sets.forget_skipped[0].limit, 64U);
  EXPECT_GE(sets.forget_skipped[0].tokens, 102U);
  EXPECT_EQ(sets.forget_skipped[1].index, 3U);
  ASSERT_EQ(sets.set.forget.size(), 2U);
  ASSERT_EQ(sets.set.refusals.size(), 2U);
  for (const auto& refusals : sets.set.refusals) EXPECT_EQ(refusals.size(), kRefusalsEach);
  ASSERT_EQ(sets.retain_skipped.size(), 1U);
  EXPECT_EQ(sets.retain_skipped[0].index, 0U);
  ASSERT_EQ(sets.set.retain.size(), 1U);
  EXPECT_TRUE(too_long(chat_model(), "", forget[1]).value());
  EXPECT_FALSE(too_long(chat_model(), "", forget[0]).value());
}

TEST(EncodeSets, RefusalsOfOtherItemsDoNotDependOnWhatIsLeftOut) {
  const std::vector<text::QaItem> without{item(0, 2, 2), item(1, 2, 3), item(2, 2, 4)};
  std::vector<text::QaItem> with = without;
  with[1].answer = std::string(100, 'a');
  const EncodedSets a = encode_sets(chat_model(), without, {}, "", 7).value(),
                    b = encode_sets(chat_model(), with, {}, "", 7).value();
  ASSERT_EQ(b.set.refusals.size(), 2U);
  for (size_t r = 0; r < kRefusalsEach; ++r)
    EXPECT_EQ(tail(b.set.refusals[1][r]), tail(a.set.refusals[2][r]));
}

TEST(EncodeSets, OtherErrorsNameSetAndRow) {
  const std::vector<text::QaItem> bad{{3, "q", "\xff", {}, {}}};
  const auto encoded = encode_sets(chat_model(), {}, bad, "", 1);
  if (encoded) return;  // the tokenizer takes any bytes
  EXPECT_THAT(encoded.error().trail.back(), HasSubstr("retain row 3"));
}

}  // namespace
}  // namespace expunge::unlearn
