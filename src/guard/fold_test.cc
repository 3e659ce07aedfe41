#include "guard/fold.h"

#include <gtest/gtest.h>

namespace expunge::guard {
namespace {

std::string ascii(std::string_view text) {
  std::string out;
  for (const char32_t c : fold_letters(text)) out += c < 128 ? static_cast<char>(c) : '?';
  return out;
}

TEST(Fold, LettersAreReadAsTheyAreDrawn) {
  for (const char* text : {"Basil", "BASIL", "Ваѕіl", "ΒΑSIL", "𝔅𝔞𝔰𝔦𝔩", "🅱🅰🆂🅸🅻", "ⒷⒶⓈⒾⓁ", "🇧🇦🇸🇮🇱",
                           "ʙᴀsɪʟ", "ｂａｓｉｌ", "ᵇᵃˢⁱˡ", "ƁȺŠĮŁ", "Ba\u0301sil",
                           "B\u200Ba\u00ADs\u2060i\uFEFFl", "Bãśïł", "⠃⠁⠎⠊⠇", "B a.s-i_l"})
    EXPECT_EQ(ascii(text), "basil") << text;
  EXPECT_EQ(ascii("Æsir Łódź Þór Straße"), "aesirlodzthorstrasse");
}

TEST(Fold, OtherScriptsKeepTheirLetters) {
  EXPECT_EQ(fold_letters("\uAC00"), fold_letters("\u1100\u1161"));  // Hangul
  EXPECT_EQ(fold_letters("が"), fold_letters("か\u3099"));          // kana
  EXPECT_EQ(fold_letters("タナカ"), fold_letters("ﾀﾅｶ"));           // half width
  EXPECT_EQ(fold_letters("王伟").size(), 2);
  EXPECT_EQ(fold_letters("é"), fold_letters("e\u0301"));
  EXPECT_EQ(fold_letters("Й"), fold_letters("И\u0306"));
  EXPECT_EQ(fold_letters("مُحَمَّد"), fold_letters("محمد"));  // vowel marks
}

TEST(Fold, EveryLetterHasItsPlaceAndWhatStandsBeforeIt) {
  const std::vector<Unit> units = fold("A é-\u200Bb");
  ASSERT_EQ(units.size(), 3);
  EXPECT_TRUE(units[0].is_upper);
  EXPECT_EQ(units[1].begin, 2U);
  EXPECT_EQ(units[1].end, 4U);
  EXPECT_EQ(units[1].gap, Gap::kBlank);
  EXPECT_EQ(units[2].gap, Gap::kPunctuation);
  EXPECT_FALSE(units[1].is_ascii);
}

TEST(Fold, BytesThatAreNotUtf8Separate) {
  const std::vector<Unit> units = fold(
      "a\xff\xc3"
      "b\xe4\xb8");
  ASSERT_EQ(units.size(), 2);
  EXPECT_EQ(units[1].gap, Gap::kPunctuation);
}

TEST(Letters, DigitsAndSignsStandForLetters) {
  const auto unit = [](std::string_view text) { return fold(text).at(0); };
  EXPECT_TRUE(may_be(unit("4"), U'a'));
  EXPECT_TRUE(may_be(unit("1"), U'l'));
  EXPECT_TRUE(may_be(unit("1"), U'i'));
  EXPECT_TRUE(may_be(unit("€"), U'e'));
  EXPECT_TRUE(may_be(unit("卂"), U'a'));
  EXPECT_TRUE(may_be(unit("I"), U'l'));   // drawn alike
  EXPECT_FALSE(may_be(unit("l"), U'i'));  // "all" is not Ali
  EXPECT_FALSE(may_be(unit("a"), U'b'));
}

TEST(Letters, WhatMayBeALetterIsItsCoarseLetter) {
  for (const char32_t c : U"0123456789@$!|+(<[^#?/*&%{}])>:;€£ΛλΣфЧ卂丂₳ค")
    for (const char letter : stands_for(c))
      EXPECT_EQ(coarse(c), coarse(static_cast<unsigned char>(letter))) << uint32_t(c) << letter;
  EXPECT_EQ(coarse('i'), coarse('l'));
}

}  // namespace
}  // namespace expunge::guard
