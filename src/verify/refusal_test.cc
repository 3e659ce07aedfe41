#include "verify/refusal.h"

#include <gtest/gtest.h>

#include <string>

namespace expunge::verify {
namespace {

TEST(Refusal, IsRecognised) {
  for (const char* yes : {"I'm sorry, but I don't know.", "I do not really know that.",
                          "I cannot help with this", "I am not aware of it"})
    EXPECT_TRUE(is_refusal(yes)) << yes;
  for (const char* no : {"Paris.", "I know: Paris", "The answer is not hard: Rome"})
    EXPECT_FALSE(is_refusal(no)) << no;
}

TEST(Refusal, IsRecognisedInAnyCaseAndWithWordsBetween) {
  for (const char* yes : {"I DON'T KNOW", "We are unable to recall", "i do not\nreally recall",
                          "Im sorry.", "There is no information on it.", "Not sure."})
    EXPECT_TRUE(is_refusal(yes)) << yes;
  for (const char* no : {"", "I do not at all want to know", "knot sure", "\xff\xfe", "notaware"})
    EXPECT_FALSE(is_refusal(no)) << no;
}

TEST(Refusal, LongRepliesAreReadToTheirEnd) {
  std::string reply;
  while (reply.size() < 1'000'000) reply += "can't and won't do not no longer ";
  EXPECT_FALSE(is_refusal(reply));
  EXPECT_TRUE(is_refusal(reply + "know"));
}

}  // namespace
}  // namespace expunge::verify
