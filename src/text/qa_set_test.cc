#include "text/qa_set.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace expunge::text {
namespace {

std::string file_of(const std::string& content) {
  const std::string path = ::testing::TempDir() + "/qa_set_test.json";
  std::ofstream(path) << content;
  return path;
}

TEST(QaSet, ReadsEveryShapeThatTofuHas) {
  const auto items = read_qa(file_of(R"({"question":"q0","answer":"a0"}
{"question":"q1","answer":"a1","paraphrased_answer":"p1","perturbed_answer":["x","y"]}
{"question":"q2","option1":"b","option2":"a2","answer":"a2"}
)"))
                         .value();
  ASSERT_EQ(items.size(), 3);
  EXPECT_EQ(items[0].answer, "a0");
  EXPECT_FALSE(items[0].paraphrased);
  EXPECT_EQ(items[1].paraphrased, "p1");
  EXPECT_EQ(items[1].perturbed, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(items[2].perturbed, std::vector<std::string>{"b"});
  EXPECT_EQ(items[2].row, 2);
  EXPECT_EQ(read_qa(file_of("{\"question\":\"q\",\"answer\":\"a\"}\n{}"), 1).value().size(), 1);
}

TEST(QaSet, NamesWhatIsWrongAndWhere) {
  for (const char* bad : {"", "[]", "{}", R"({"question":"q"})", R"({"question":1,"answer":"a"})",
                          R"({"question":"q","answer":"a","perturbed_answer":[1]})",
                          R"({"question":"q","answer":"a","perturbed_answer":7})",
                          R"({"question":"q","answer":"a","paraphrased_answer":[]})", "{"}) {
    const auto items = read_qa(file_of(bad));
    ASSERT_FALSE(items) << bad;
    EXPECT_NE(items.error().message.find("qa_set_test.json"), std::string::npos)
        << items.error().message;
  }
  EXPECT_EQ(read_qa("/nowhere/at/all.json").error().code, base::Code::kNotFound);
}

}  // namespace
}  // namespace expunge::text
