#include "server/url.h"

#include <gtest/gtest.h>

namespace expunge::server {
namespace {

TEST(Url, EscapesAreDecodedAndBrokenOnesRefused) {
  EXPECT_EQ(url_decoded("a%20%C3%a9+b"), "a é+b");
  for (const char* bad : {"%", "a%2", "%zz", "%00"}) EXPECT_FALSE(url_decoded(bad)) << bad;
}

}  // namespace
}  // namespace expunge::server
