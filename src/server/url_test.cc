#include "server/url.h"

#include <gtest/gtest.h>

namespace expunge::server {
namespace {

TEST(Url, EscapesAreDecodedAndBrokenOnesRefused) {
  EXPECT_EQ(url_decoded("a%20%C3%a9+b"), "a é+b");
  for (const char* bad : {"%", "a%2", "%zz", "%00"}) EXPECT_FALSE(url_decoded(bad)) << bad;
}

TEST(Url, AQueryIsFields) {
  const auto query = parse_query("a=1&b=x+y%26&empty=&alone&a=2");
  ASSERT_TRUE(query);
  EXPECT_EQ(query->at("a"), "2");
  EXPECT_EQ(query->at("b"), "x y&");
  EXPECT_EQ(query->at("empty"), "");
  EXPECT_EQ(query->at("alone"), "");
  EXPECT_FALSE(parse_query("a=%g"));
}

}  // namespace
}  // namespace expunge::server
