#include "base/utf8.h"

#include <gtest/gtest.h>

namespace expunge::base {
namespace {

TEST(Utf8, CharactersOfEveryLength) {
  EXPECT_EQ(char_at("a", 0).code, U'a');
  EXPECT_EQ(char_at("ü", 0).code, U'ü');
  EXPECT_EQ(char_at("日", 0).size, 3);
  EXPECT_EQ(char_at("a😀", 1).code, U'😀');
  EXPECT_TRUE(is_utf8("naïve 日本 😀"));
  EXPECT_TRUE(is_utf8(""));
}

TEST(Utf8, WhatIsNotUtf8) {
  for (const char* text : {"\xff", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                           "\xf5\x80\x80\x80", "\xc3", "a\xe6\x97", "\x80"})
    EXPECT_FALSE(is_utf8(text)) << text;
}

TEST(Printable, ControlCharactersAreTakenOut) {
  EXPECT_EQ(printable("a\x1b[31mb\x07"), "a[31mb");
  EXPECT_EQ(printable("one\n\ttwo"), "one\n\ttwo");
  EXPECT_EQ(printable("a\u202Eb\u2066c\u0085"), "abc");
  EXPECT_EQ(printable("a\xff\xfe"), "a\uFFFD\uFFFD");
}

TEST(OneLine, BlanksAreJoined) {
  EXPECT_EQ(one_line("  a\r\n\n b\tc  "), "a b c");
  EXPECT_EQ(one_line(" \n "), "");
}

TEST(CheckText, NamesWhatIsWrong) {
  EXPECT_TRUE(check_text("x", "the prompt"));
  EXPECT_EQ(check_text(" \t\n", "the prompt").error().message, "the prompt is empty");
  EXPECT_EQ(check_text("\xff", "--answer").error().message, "--answer is not UTF-8");
  EXPECT_EQ(check_text("", "x").error().code, Code::kInvalid);
}

}  // namespace
}  // namespace expunge::base
