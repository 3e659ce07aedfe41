#include "base/unique_keys.h"

#include <gtest/gtest.h>

#include <string>

namespace expunge::base {
namespace {

TEST(UniqueKeys, AKeyTwiceInOneObjectIsNamed) {
  EXPECT_EQ(check_unique_keys(R"({"a": 1, "b": {"c": 2, "c": 3}})", "f.json:2").error().message,
            "f.json:2: the key 'c' is there twice");
  EXPECT_EQ(check_unique_keys(R"([{"a\u0062": 1, "ab": 1}])", "f").error().code, Code::kInvalid);
}

TEST(UniqueKeys, OtherObjectsMayHaveIt) {
  EXPECT_TRUE(check_unique_keys(R"({"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]})", "f"));
  EXPECT_TRUE(check_unique_keys("3", "f"));
}

TEST(UniqueKeys, WhatIsNoJsonIsLeftToTheParser) {
  EXPECT_TRUE(check_unique_keys("{\"a\": ", "f"));
  EXPECT_TRUE(check_unique_keys("", "f"));
}

}  // namespace
}  // namespace expunge::base
