#include "cli/layout.h"

#include <gtest/gtest.h>

namespace expunge::cli {
namespace {

TEST(Columns, WideCombiningAndPainted) {
  EXPECT_EQ(columns("abc"), 3);
  EXPECT_EQ(columns("naïve"), 5);
  EXPECT_EQ(columns("nai\u0308ve"), 5);  // a combining mark takes none
  EXPECT_EQ(columns("日本語"), 6);
  EXPECT_EQ(columns("😀"), 2);
  EXPECT_EQ(columns("\x1b[1mbold\x1b[0m"), 4);
  EXPECT_EQ(columns("a\xff"), 2);
  EXPECT_EQ(columns(""), 0);
}

TEST(Fit, CutsAtAWholeCharacter) {
  EXPECT_EQ(fit("short", 5), "short");
  EXPECT_EQ(fit("too long", 5), "too …");
  EXPECT_EQ(fit("日本語です", 7), "日本語…");
  EXPECT_EQ(fit("日本語です", 6), "日本…");  // half a character is not shown
  for (size_t width = 1; width < 12; ++width)
    EXPECT_LE(columns(fit("aé日😀b ccc", width)), width) << width;
}

TEST(Pad, OnEitherSide) {
  EXPECT_EQ(pad("日", 4), "日  ");
  EXPECT_EQ(pad_left("12", 4), "  12");
  EXPECT_EQ(pad("longer", 3), "longer");
  EXPECT_EQ(pad_left("longer", 3), "longer");
}

TEST(Wrap, WordsInLines) {
  EXPECT_EQ(wrap("one two three", 8, 2), "one two\n  three");
  EXPECT_EQ(wrap("a  b", 80, 0), "a b");
  EXPECT_EQ(wrap("unbreakable word", 4, 1), "unbreakable\n word");
  EXPECT_EQ(wrap("", 10, 2), "");
  EXPECT_EQ(wrap("\x1b[1mone\x1b[0m two", 7, 0), "\x1b[1mone\x1b[0m two");  // seven columns
}

}  // namespace
}  // namespace expunge::cli
