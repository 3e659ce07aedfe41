#include "guard/target.h"

#include <gmock/gmock.h>

namespace expunge::guard {
namespace {

using base::Json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

base::Error error_of(const Json& json) {
  const auto target = target_from_json(json);
  EXPECT_FALSE(target) << json;
  return target ? base::Error{} : target.error();
}

TEST(Target, IsReadAndWritten) {
  const Json json = {{"name", "  Basil Mahfouz Al-Kuwaiti\n"},
                     {"aliases", {"Basil", " باسل "}},
                     {"mode", "idk"},
                     {"scope", "novelist, Kuwait"},
                     {"expires", "2028-02-29"}};
  const Target target = target_from_json(json).value();
  EXPECT_EQ(target.name, "Basil Mahfouz Al-Kuwaiti");
  EXPECT_THAT(target.aliases, ElementsAre("Basil", "باسل"));
  EXPECT_EQ(target.mode, Mode::kIdk);
  Json again = to_json(target);
  EXPECT_EQ(again["id"], 0);
  again["id"] = 7;  // of another list
  EXPECT_EQ(to_json(target_from_json(again).value()), to_json(target));
}

TEST(Target, OnlyTheNameIsNeeded) {
  const Target target = target_from_json({{"name", "Q42"}}).value();
  EXPECT_EQ(target.mode, Mode::kRewrite);
  EXPECT_EQ(target.expires, "");
  EXPECT_THAT(error_of(Json::object()).message, HasSubstr("'name'"));
  EXPECT_THAT(error_of(Json::array()).message, HasSubstr("got array"));
}

TEST(Target, WhatIsWrongIsNamed) {
  const auto with = [](const char* field, const Json& value) {
    Json json = {{"name", "Basil Mahfouz"}};
    json[field] = value;
    return error_of(json);
  };
  EXPECT_EQ(with("color", "red").code, base::Code::kInvalid);
  EXPECT_THAT(with("color", "red").message, HasSubstr("'color'"));
  EXPECT_THAT(with("color", "red").hint, HasSubstr("aliases"));
  EXPECT_THAT(with("name", 7).message, AllOf(HasSubstr("/name"), HasSubstr("number")));
  EXPECT_THAT(with("aliases", "Basil").message, HasSubstr("/aliases"));
  EXPECT_THAT(with("aliases", {"Basil", nullptr}).message, HasSubstr("/aliases/1"));
  EXPECT_THAT(with("aliases", {""}).message, HasSubstr("/aliases/0"));
  EXPECT_THAT(with("mode", "hide").message, HasSubstr("'hide'"));
  EXPECT_THAT(with("scope", true).message, HasSubstr("/scope"));
  EXPECT_THAT(with("scope", "\xFF").message, HasSubstr("UTF-8"));
}

TEST(Target, ANameHasThreeLettersOrDigits) {
  for (const char* name : {"Bob", "R2D", "a.b.c", "Øyå", "李小龍", "Ôôò"})
    EXPECT_TRUE(target_from_json({{"name", name}})) << name;
  for (const char* name :
       {"", "  ", "Al", "a-b", "…—“”", "\u200B\u200B\u200B", "e\u0301\u0301", "\U0001F600x"})
    EXPECT_EQ(error_of({{"name", name}}).code, base::Code::kInvalid) << name;
}

TEST(Target, ADateIsARealOne) {
  const auto with = [](const char* date) {
    return target_from_json({{"name", "Basil"}, {"expires", date}}).has_value();
  };
  for (const char* date : {"", "2027-01-31", "2028-02-29", "9999-12-31"})
    EXPECT_TRUE(with(date)) << date;
  for (const char* date : {"2027-02-29", "2027-1-31", "2027-13-01", "2027-00-01", "31.01.2027",
                           "2027-01-31T00", "20270131", "never"})
    EXPECT_FALSE(with(date)) << date;
}

TEST(Target, CountsUntilItsDay) {
  const Target target = target_from_json({{"name", "Basil"}, {"expires", "2027-01-31"}}).value();
  EXPECT_TRUE(is_active(target, "2027-01-30"));
  EXPECT_FALSE(is_active(target, "2027-01-31"));
  EXPECT_FALSE(is_active(target, "2030-01-01"));
  EXPECT_TRUE(is_active({.name = "Basil"}, "9999-12-31"));
}

TEST(Targets, AreLinesOfJson) {
  const auto targets =
      read_targets("\xEF\xBB\xBF{\"name\": \"Basil\"}\r\n\n   \n{\"name\": \"Nikolai Abilov\"}")
          .value();
  ASSERT_EQ(targets.size(), 2);
  EXPECT_EQ(targets[1].name, "Nikolai Abilov");
  EXPECT_TRUE(read_targets("").value().empty());
}

TEST(Targets, ErrorsNameTheLine) {
  for (const char* line : {"{\"name\": 3}", "{\"name\"", "{\"name\": \"Basil\", \"name\": \"Abe\"}",
                           "[]", "{\"name\": \"\xFF\xFF\xFF\"}"}) {
    const auto targets = read_targets(std::string("{\"name\": \"Basil\"}\n\n") + line);
    ASSERT_FALSE(targets) << line;
    EXPECT_EQ(targets.error().code, base::Code::kInvalid);
    EXPECT_THAT(targets.error().message, HasSubstr("line 3")) << line;
  }
}

}  // namespace
}  // namespace expunge::guard
