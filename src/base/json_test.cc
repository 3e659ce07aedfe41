#include "base/json.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

#include "base/files.h"

namespace expunge::base {
namespace {

using ::testing::HasSubstr;

TEST(JsonTest, KeepsTheOrderOfKeys) {
  const Json value = parse_json(R"({"z":1,"a":[true,null,"é"],"m":2.5})", "text").value();
  EXPECT_EQ(dump_json(value), R"({"z":1,"a":[true,null,"é"],"m":2.5})");
}

TEST(JsonTest, RefusesWhatIsNotStrictJson) {
  for (const char* text :
       {"", "{", "[1,]", "{'a':1}", "NaN", "[1] x", "\"\xff\"", "{\"a\" 1}", "1e999", "// c\n1"}) {
    const auto value = parse_json(text, "the source");
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error().code, Code::kInvalid) << text;
    EXPECT_THAT(value.error().message, HasSubstr("the source")) << text;
    EXPECT_FALSE(value.error().hint.empty()) << text;
  }
}

TEST(JsonTest, BoundsTheNesting) {
  const auto nested = [](size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_TRUE(parse_json(nested(100), "text"));
  const auto deep = parse_json(nested(1'000'000), "text");
  ASSERT_FALSE(deep);
  EXPECT_THAT(deep.error().message, HasSubstr("nested deeper than 128"));
}

TEST(JsonTest, DumpReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(dump_json(Json("a\xff"
                           "b")),
            "\"a\xef\xbf\xbd"
            "b\"");
  EXPECT_EQ(dump_json(Json{{"a", 1}}, 2), "{\n  \"a\": 1\n}");
}

TEST(JsonTest, JsonLinesSkipEmptyLinesAndNameTheWrongOne) {
  std::string file = (std::filesystem::temp_directory_path() / "expunge-jsonl.XXXXXX").string();
  ASSERT_NE(::mkdtemp(file.data()), nullptr);
  const std::string folder = file;
  file += "/lines.jsonl";
  ASSERT_TRUE(write_file_atomic(file, "{\"a\":1}\r\n\n  \n[2]"));
  const auto values = read_jsonl(file).value();
  ASSERT_EQ(values.size(), 2U);
  EXPECT_EQ(values[0]["a"], 1);
  EXPECT_EQ(values[1][0], 2);
  ASSERT_TRUE(write_file_atomic(file, "{}\n\n{oops\n{}"));
  const auto wrong = read_jsonl(file);
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("lines.jsonl:3"));
  EXPECT_EQ(read_jsonl(folder + "/none").error().code, Code::kNotFound);
  EXPECT_EQ(read_json(folder + "/none").error().code, Code::kNotFound);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace expunge::base
