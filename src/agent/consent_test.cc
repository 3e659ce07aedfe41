#include "agent/consent.h"

#include <gtest/gtest.h>

namespace expunge::agent {
namespace {

TEST(PlainAnswer, OnlyWhatCanMeanNothingElse) {
  for (const char* yes : {"yes", "Yes.", "yes please!", "OK", "go ahead", "Do it."})
    EXPECT_EQ(plain_answer(yes), true) << yes;
  for (const char* no : {"no", "No, thanks.", "cancel", "n"})
    EXPECT_EQ(plain_answer(no), false) << no;
  for (const char* other :
       {"", "yes, but keep the capital", "sure about that?", "not now", "да", "ok å"})
    EXPECT_EQ(plain_answer(other), std::nullopt) << other;
}

}  // namespace
}  // namespace expunge::agent
