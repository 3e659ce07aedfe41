#include "text/choice_set.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

namespace expunge::text {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string file_of(const std::string& name, const std::string& content) {
  const fs::path folder = fs::path(::testing::TempDir()) / "choice_set_test";
  fs::create_directories(folder);
  std::ofstream(folder / name) << content;
  return folder / name;
}

TEST(ChoiceSet, ReadsMmluTables) {
  const auto items =
      read_choices(
          file_of("us_history_test.csv",
                  "\"Who said \"\"no\"\",\nand when?\",\"A, b\",c,d,e,B\nwhat?,1,2,3,4,D\n"))
          .value();
  ASSERT_EQ(items.size(), 2);
  EXPECT_EQ(items[0].subject, "us_history");
  EXPECT_EQ(items[0].question, "Who said \"no\",\nand when?");
  EXPECT_THAT(items[0].options, ElementsAre("A, b", "c", "d", "e"));
  EXPECT_EQ(items[0].right, 1);
  EXPECT_EQ(items[1].row, 1);
  EXPECT_EQ(items[1].right, 3);
  // With a header and indices.
  const auto other =
      read_choices(
          file_of("virology_dev.csv", "question,choice0,choice1,answer\nq,x,y,1\nr,z,,0\n"), 1)
          .value();
  ASSERT_EQ(other.size(), 1);
  EXPECT_EQ(other[0].subject, "virology");
  EXPECT_EQ(other[0].row, 0);
  EXPECT_EQ(other[0].right, 1);
}

TEST(ChoiceSet, ReadsJsonLines) {
  const auto items = read_choices(file_of("bio.jsonl",
                                          R"({"question":"q","choices":["x","y","z"],"answer":2}
{"question":"r","choices":["x","y"],"answer":"A","subject":"cyber"}

{"question":"s","choices":["x","y"],"answer":"1","subject":"cyber"})"))
                         .value();
  ASSERT_EQ(items.size(), 3);
  EXPECT_EQ(items[0].subject, "bio");
  EXPECT_THAT(items[0].options, ElementsAre("x", "y", "z"));
  EXPECT_EQ(items[0].right, 2);
  EXPECT_EQ(items[1].subject, "cyber");
  EXPECT_EQ(items[1].right, 0);
  EXPECT_EQ(items[2].right, 1);
  EXPECT_EQ(items[2].row, 2);
}

TEST(ChoiceSet, AFolderIsItsFilesWithALimitASubject) {
  const fs::path folder = fs::path(::testing::TempDir()) / "choice_set_folder";
  fs::remove_all(folder);
  fs::create_directories(folder);
  std::ofstream(folder / "b_test.csv") << "q1,x,y,A\nq2,x,y,A\nq3,x,y,A\n";
  std::ofstream(folder / "a_test.csv") << "q,x,y,A\n";
  std::ofstream(folder / "README") << "none\n";
  const auto items = read_choices(folder, 2).value();
  ASSERT_EQ(items.size(), 3);
  EXPECT_EQ(items[0].subject, "a");
  EXPECT_EQ(items[2].question, "q2");
  std::ofstream(folder / "b_dev.csv") << "q,x,y,A\n";
  EXPECT_THAT(read_choices(folder).error().message, HasSubstr("both hold subject 'b'"));
}

TEST(ChoiceSet, NamesFileAndLine) {
  for (const auto& [content, what] : std::vector<std::pair<std::string, std::string>>{
           {"q,x,y,A\nq,x,y,C\n", ":2: the answer is 'C', expected a letter from A to B"},
           {"q,x,y,A\n\nq,x,y,2\n", ":3: the answer is '2'"},
           {"q,x,y,a\n", ":1: the answer is 'a'"},
           {"q,x,y,A\nq,x,A\n", ":2: 3 columns, the first row has 4"},
           {"q,A\n", ":1: 0 options"},
           {" ,x,y,A\n", ":1: the question is empty"},
           {"question,subject,choices,answer\n", ":1: the answer is 'answer'"},
           {"question,A,B,answer\n", "holds no question"},
           {"q,\"x", ":1: a quote"},
           {"", "holds no question"}})
    EXPECT_THAT(read_choices(file_of("bad_test.csv", content)).error().message,
                HasSubstr("bad_test.csv" + (what[0] == ':' ? what : " " + what)));
  const std::string good = "{\"question\":\"q\",\"choices\":[\"x\",\"y\"],\"answer\":0}\n";
  for (const char* bad :
       {"[]", "{}", R"({"question":1})", R"({"question":"q","choices":"xy","answer":0})",
        R"({"question":"q","choices":["x"],"answer":0})",
        R"({"question":"q","choices":["x",1],"answer":0})",
        R"({"question":"q","choices":["x","y"]})",
        R"({"question":"q","choices":["x","y"],"answer":1.0})",
        R"({"question":"q","choices":["x","y"],"answer":-1})",
        R"({"question":"q","choices":["x","y"],"answer":2})",
        R"({"question":"q","choices":["x","y"],"answer":0,"subject":""})", "{"})
    EXPECT_THAT(read_choices(file_of("bad.jsonl", good + bad)).error().message,
                HasSubstr("bad.jsonl:2"))
        << bad;
  EXPECT_EQ(read_choices("/nowhere/at/all.csv").error().code, base::Code::kNotFound);
}

}  // namespace
}  // namespace expunge::text
