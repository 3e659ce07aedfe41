#include "cli/estimate.h"

#include <gtest/gtest.h>

namespace expunge::cli {
namespace {

TEST(Estimate, GoesByThePaceSoFar) {
  Estimate e;
  EXPECT_FALSE(e.left(0, 10, 100));
  EXPECT_FALSE(e.left(1, 10, 101));  // too early to tell
  EXPECT_EQ(e.left(2, 10, 104), 16);
  EXPECT_EQ(e.left(10, 10, 120), 0);
}

TEST(Estimate, WhatAnEarlierRunDidTellsNoPace) {
  Estimate e;
  EXPECT_FALSE(e.left(90, 100, 0));
  EXPECT_FALSE(e.left(90, 100, 50));
  EXPECT_EQ(e.left(95, 100, 50), 50);
}

TEST(Estimate, OtherWorkBeginsAnew) {
  Estimate e;
  e.left(0, 10, 0);
  EXPECT_EQ(e.left(5, 10, 5), 5);
  EXPECT_FALSE(e.left(6, 20, 6));
  EXPECT_EQ(e.left(8, 20, 10), 24);
  EXPECT_FALSE(e.left(1, 20, 11));
  EXPECT_FALSE(e.left(3, 0, 99));
}

}  // namespace
}  // namespace expunge::cli
