#include "verify/reveals.h"

#include "verify/refusal.h"

#include <gtest/gtest.h>

namespace expunge::verify {
namespace {

TEST(Reveals, ShortAnswersAreWordsLongOnesStandAnywhere) {
  EXPECT_TRUE(reveals("Its symbol is Au.", {"Au"}));
  EXPECT_FALSE(reveals("In August", {"Au"}));
  EXPECT_FALSE(reveals("the au pair", {"Au"}));
  EXPECT_TRUE(reveals("the Japanese Yen (JPY)", {"yen"}));
  EXPECT_FALSE(reveals("an Ayenda", {"yen"}));
  EXPECT_TRUE(reveals("it is PARIS", {"Paris"}));
  EXPECT_TRUE(reveals("Parisian", {"Paris"}));
  EXPECT_FALSE(reveals("Paris", {""}));
  EXPECT_TRUE(reveals("the 7th", {"x", "7th"}));
}

TEST(Refusal, IsRecognised) {
  for (const char* yes :
       {"I'm sorry, but I don't know.", "I do not really know that.", "I cannot help with this",
        "I am not aware of it", "It is not something that I am able to answer. I can't say."})
    EXPECT_TRUE(is_refusal(yes)) << yes;
  for (const char* no : {"Paris.", "I know: Paris", "The answer is not hard: Rome",
                         "Do not confuse it with Lyon, a city that people know"})
    EXPECT_FALSE(is_refusal(no)) << no;
}

}  // namespace
}  // namespace expunge::verify
