#include "text/rows.h"

#include <gmock/gmock.h>

#include <fstream>

namespace expunge::text {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Csv, QuotesCommasAndLinesWithinFields) {
  const auto rows = parse_csv(
                        "\xEF\xBB\xBF"
                        "a,\"b, \"\"c\"\"\nd\",\r\n"
                        "\n"
                        "\"\",x\"y, z \r\n"
                        "\"1\r\n2\",\"3\"",
                        "f")
                        .value();
  ASSERT_EQ(rows.size(), 3);
  EXPECT_THAT(rows[0].fields, ElementsAre("a", "b, \"c\"\nd", ""));
  EXPECT_THAT(rows[1].fields, ElementsAre("", "x\"y", " z "));
  EXPECT_THAT(rows[2].fields, ElementsAre("1\r\n2", "3"));
  EXPECT_EQ(rows[0].line, 1);
  EXPECT_EQ(rows[1].line, 4);
  EXPECT_EQ(rows[2].line, 5);
  EXPECT_TRUE(parse_csv("", "f").value().empty());
  EXPECT_THAT(parse_csv("a,", "f").value()[0].fields, ElementsAre("a", ""));
  EXPECT_THAT(parse_csv("a\r", "f").value()[0].fields, ElementsAre("a"));
}

TEST(Csv, ErrorsNameTheLine) {
  EXPECT_THAT(parse_csv("a\nb,\"c\n\n", "f.csv").error().message, HasSubstr("f.csv:2: a quote"));
  EXPECT_THAT(parse_csv("a\n\"b\nc\" d\n", "f.csv").error().message,
              HasSubstr("f.csv:3: expected"));
  EXPECT_EQ(read_csv("/nowhere/at/all.csv").error().code, base::Code::kNotFound);
}

TEST(JsonRows, KeepTheirLines) {
  const std::string path = ::testing::TempDir() + "/rows_test.jsonl";
  std::ofstream(path) << "{\"a\":1}\n \n[2]";
  const auto rows = read_json_rows(path).value();
  ASSERT_EQ(rows.size(), 2);
  EXPECT_EQ(rows[1].line, 3);
  EXPECT_EQ(rows[1].json[0], 2);
  std::ofstream(path) << "1\n{";
  EXPECT_THAT(read_json_rows(path).error().message, HasSubstr("rows_test.jsonl:2"));
}

}  // namespace
}  // namespace expunge::text
