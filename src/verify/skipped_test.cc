#include "verify/skipped.h"

#include <gmock/gmock.h>

#include "tiny.h"

namespace expunge::verify {
namespace {

using ::testing::HasSubstr;

TEST(SkippedTest, AnItemMustLeaveRoomForAToken) {
  const model::Arch config = tests::tiny_arch();
  const auto context = static_cast<size_t>(config.context_length);
  EXPECT_FALSE(over_length(config, context - 1));
  EXPECT_THAT(over_length(config, context).value(),
              HasSubstr(fmt::format("{0} tokens, the model's context holds {0}", context)));
}

TEST(SkippedTest, NamesFileAndRow) {
  const Skipped s{"forget", 2, "qa.json", "too long"};
  EXPECT_EQ(describe(s), "forget row 2 of qa.json: too long");
  EXPECT_EQ(describe({"law", 7, "", "too long"}), "law row 7: too long");
}

TEST(SkippedTest, ComesBackFromJson) {
  const std::vector<Skipped> given = {{"forget", 2, "qa.json", "long"}, {"law", 0, "", "x"}};
  EXPECT_EQ(skipped_from_json(skipped_to_json(given), "f").value(), given);
  for (const char* bad :
       {"{}", "[3]", R"([{"set": "a"}])", R"([{"set":"a","row":-1,"file":"","reason":""}])",
        R"([{"set":3,"row":1,"file":"","reason":""}])"})
    EXPECT_THAT(skipped_from_json(base::parse_json(bad, "t").value(), "f.json").error().message,
                HasSubstr("f.json: skipped"))
        << bad;
}

}  // namespace
}  // namespace expunge::verify
