#include "base/toml.h"

#include <gmock/gmock.h>

namespace expunge::base {
namespace {

using ::testing::HasSubstr;

TEST(Toml, KeysTablesAndLists) {
  const auto tables = parse_toml(
                          "# a sweep\r\n"
                          "model = \"models/a b\"  # what\n"
                          "'quoted key' = 'C:\\temp'\n"
                          "yes = true\n\n"
                          "[npo]\n"
                          "lr = [1e-5, # small\n  2e-5,\n]\n"
                          "n = 1_000\n"
                          "empty = []\n"
                          "[ npo . long ]\n"
                          "text = \"a\\t\\\"b\\\\\"",
                          "f")
                          .value();
  ASSERT_EQ(tables.size(), 3U);
  const auto& top = tables[0].values;
  ASSERT_EQ(top.size(), 3U);
  EXPECT_EQ(top[0].values[0].text, "models/a b");
  EXPECT_EQ(top[0].line, 2U);
  EXPECT_EQ(top[1].key, "quoted key");
  EXPECT_EQ(top[1].values[0].text, "C:\\temp");
  EXPECT_EQ(top[2].values[0].type, TomlScalar::Type::kTruth);
  EXPECT_TRUE(top[2].values[0].truth);
  EXPECT_EQ(tables[1].name, "npo");
  const auto& npo = tables[1].values;
  ASSERT_EQ(npo.size(), 3U);
  EXPECT_TRUE(npo[0].is_list);
  ASSERT_EQ(npo[0].values.size(), 2U);
  EXPECT_EQ(npo[0].values[1].number, 2e-5);
  EXPECT_EQ(npo[0].values[1].text, "2e-5");
  EXPECT_EQ(npo[1].values[0].number, 1000);
  EXPECT_EQ(npo[1].line, 10U);
  EXPECT_FALSE(npo[1].is_list);
  EXPECT_TRUE(npo[2].values.empty());
  EXPECT_EQ(tables[2].name, "npo.long");
  EXPECT_EQ(tables[2].values[0].values[0].text, "a\t\"b\\");
}

TEST(Toml, NothingIsNoError) { EXPECT_EQ(parse_toml("", "f").value().size(), 1U); }

TEST(Toml, ErrorsNameSourceAndLine) {
  for (const auto& [text, message] :
       {std::pair("a = 1\nb = x", "f:2: 'x' is not a value"),
        std::pair("a 1", "f:1: expected = after 'a'"),
        std::pair("a = 1 2", "f:1: something follows the value"),
        std::pair("a = \"x", "f:1: a text without its closing quote"),
        std::pair("a = \"x\n\"", "f:1: a text without its closing quote"),
        std::pair("a = \"\\u00e9\"", "f:1: an escape that is not read here"),
        std::pair("a = \"\"\"x\"\"\"", "f:1: texts of several lines"),
        std::pair("a = [1 2]", "f:1: expected , or ] in a list"),
        std::pair("a = [1,\n[2]]", "f:2: lists of lists"),
        std::pair("a = [1,", "f:1: expected a value"),
        std::pair("a = {b = 1}", "f:1: inline tables"),
        std::pair("a.b = 1", "f:1: dotted keys"),
        std::pair("[[a]]", "f:1: lists of tables"),
        std::pair("[a", "f:1: expected ]"),
        std::pair("= 1", "f:1: expected a key"),
        std::pair("a =", "f:1: expected a value"),
        std::pair("a = 1__0", "f:1: '1__0' is not"),
        std::pair("a = nan", "f:1: 'nan' is not"),
        std::pair("a = 1e999", "f:1: '1e999' is not"),
        std::pair("a = 2020-01-01", "f:1: '2020-01-01' is not"),
        std::pair("a = 1\na = 2", "f:2: 'a' is given twice"),
        std::pair("[a]\n[b]\n[a]", "f:3: the table [a] is given twice")}) {
    const auto read = parse_toml(text, "f");
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, Code::kInvalid);
    EXPECT_THAT(read.error().message, HasSubstr(message)) << text;
  }
}

// Every beginning of a file, and every byte in place of another, gives a value or an error.
TEST(Toml, AnyBytesAreReadOrRefused) {
  const std::string text = "a = [1, \"x\\n\"]\n[b.'c']\nd = true # e\n";
  for (size_t n = 0; n < text.size(); ++n) {
    (void)parse_toml(text.substr(0, n), "f");
    for (int byte = 0; byte < 256; ++byte) {
      std::string other = text;
      other[n] = static_cast<char>(byte);
      const auto read = parse_toml(other, "f");
      EXPECT_TRUE(read || read.error().code == Code::kInvalid);
    }
  }
}

}  // namespace
}  // namespace expunge::base
