#include "agent/watchdog/reading.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace expunge::agent {
namespace {

using base::Json;
using testing::HasSubstr;

TEST(Reading, WhatAnEndpointSays) {
  const auto reading = reading_from_json(
      {{"intent", "correct"},
       {"confidence", 0.9},
       {"targets", {{{"prompt", "Who wrote Dune?"}, {"replacement", "Frank Herbert"}}}}});
  ASSERT_TRUE(reading) << reading.error().message;
  EXPECT_EQ(reading->intent, Intent::kCorrect);
  EXPECT_TRUE(reading->sure());
  EXPECT_EQ(reading->targets.at(0).replacement, "Frank Herbert");
  double sum = 0;
  for (const double p : reading->probabilities) sum += p;
  EXPECT_NEAR(sum, 1, 1e-12);
  EXPECT_EQ(to_json(*reading)["targets"][0]["replacement"], "Frank Herbert");
}

TEST(Reading, WithoutAConfidenceTheUserIsAsked) {
  EXPECT_FALSE(reading_from_json({{"intent", "undo"}})->sure());
}

TEST(Reading, AnythingElseIsRefusedWithItsField) {
  const Json target = {{"prompt", "q?"}};
  for (const auto& [json, field] : std::vector<std::pair<Json, const char*>>{
           {Json::array(), "an object"},
           {{{"intent", "erase"}}, "/intent"},
           {{{"intent", "none"}, {"mood", 1}}, "/mood"},
           {{{"intent", "none"}, {"confidence", 1.5}}, "/confidence"},
           {{{"intent", "forget"}}, "/targets"},
           {{{"intent", "none"}, {"targets", {target}}}, "/targets"},
           {{{"intent", "forget"}, {"targets", Json(33, target)}}, "/targets"},
           {{{"intent", "forget"}, {"targets", {{{"prompt", ""}}}}}, "/targets/0/prompt"},
           {{{"intent", "forget"}, {"targets", {{{"prompt", std::string(2001, 'x')}}}}},
            "/targets/0/prompt: expected a text of at most 2000 bytes"},
           {{{"intent", "correct"}, {"targets", {target}}}, "/targets/0/replacement"},
           {{{"intent", "forget"}, {"targets", {1}}}, "/targets/0"}}) {
    const auto reading = reading_from_json(json);
    ASSERT_FALSE(reading) << json;
    EXPECT_THAT(reading.error().message, HasSubstr(field));
  }
}

}  // namespace
}  // namespace expunge::agent
