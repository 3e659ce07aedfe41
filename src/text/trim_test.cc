#include "text/trim.h"

#include <gtest/gtest.h>

namespace expunge::text {
namespace {

TEST(Trim, TakesOuterBlanksOnly) {
  EXPECT_EQ(trimmed(" \t\r\n\f\va \n b\v\f\n\r\t "), "a \n b");
  EXPECT_EQ(trimmed("a"), "a");
  EXPECT_EQ(trimmed(" \v\f"), "");
  EXPECT_EQ(trimmed(""), "");
  EXPECT_EQ(trimmed("\xc2\xa0"), "\xc2\xa0");  // a no-break space is text
}

}  // namespace
}  // namespace expunge::text
