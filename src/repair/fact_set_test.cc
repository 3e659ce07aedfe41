#include "repair/fact_set.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace expunge::repair {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FactSet : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() / fmt::format("expunge-facts-{}", ::getpid());
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::string file(const std::string& lines) const {
    std::ofstream(path_) << lines;
    return path_.string();
  }
  std::filesystem::path path_;
};

constexpr const char* kFacts =
    R"({"subject": "France", "relation": "capital", "question": "Capital of France?",
 "answer": ["Paris", "Lutetia"], "paraphrases": ["France's capital?"], "completion": "It is",
 "neighbours": [{"question": "Capital of Peru?", "answer": ["Lima"]},
                {"question": "Capital of Cuba?", "answer": ["Havana"]}]}
{"subject": "France", "relation": "currency", "question": "Money of France?", "answer": ["euro"],
 "neighbours": [{"question": "Money of Japan?", "answer": ["yen"]},
                {"question": "Capital of Peru?", "answer": ["Lima"]}]}
)";

// One line each, as the files have them.
std::string lines() {
  std::string text = kFacts;
  for (size_t at = 0; (at = text.find("\n ", at)) != text.npos;) text.erase(at, 1);
  return text;
}

std::vector<std::string> prompts(const std::vector<Fact>& facts) {
  std::vector<std::string> all;
  for (const Fact& f : facts) all.push_back(f.request.prompt);
  return all;
}

TEST_F(FactSet, KnowsWhatToAsk) {
  const auto facts = read_facts(file(lines()), 0).value();
  ASSERT_EQ(facts.size(), 2);
  EXPECT_EQ(facts[0].request.response, "Paris");
  EXPECT_THAT(facts[0].request.answers, ElementsAre("Paris", "Lutetia"));
  EXPECT_EQ(facts[0].paraphrases.at(0).prompt, "France's capital?");
  ASSERT_EQ(facts[0].probing.size(), 2);
  EXPECT_EQ(facts[0].probing[1].prefill, "It is");
  ASSERT_EQ(facts[0].same_subject.size(), 1);
  EXPECT_EQ(facts[0].same_subject[0].prompt, "Money of France?");
  EXPECT_EQ(facts[0].same_subject_first.at(0).prompt, "France: Money of France?");
  EXPECT_EQ(read_facts(path_.string(), 1).value().size(), 1);
}

TEST_F(FactSet, NeighboursLengthenASequenceTurnAboutAndOnce) {
  const auto facts = read_facts(file(lines()), 0).value();
  EXPECT_THAT(prompts(lengthened(facts, 2)), ElementsAre("Capital of France?", "Money of France?"));
  EXPECT_THAT(prompts(lengthened(facts, 9)),
              ElementsAre("Capital of France?", "Money of France?", "Capital of Peru?",
                          "Money of Japan?", "Capital of Cuba?"));
  EXPECT_EQ(lengthened(facts, 4)[3].request.response, "yen");
}

TEST_F(FactSet, NamesWhatIsMissing) {
  EXPECT_THAT(read_facts(file("{\"question\": \"x\"}\n"), 0).error().message,
              HasSubstr("needs question and answer"));
  EXPECT_THAT(read_facts(file("{\"question\": \"x\", \"answer\": []}\n"), 0).error().message,
              HasSubstr("empty list"));
}

// An error, where the reader of JSON would throw.
TEST_F(FactSet, NamesWhatHasAnotherType) {
  for (const auto& [line, message] : std::vector<std::pair<const char*, const char*>>{
           {R"({"question": 3, "answer": ["a"]})", "question must be a text"},
           {R"({"question": "x", "answer": "a"})", "answer must be a list"},
           {R"({"question": "x", "answer": [3]})", "answer must be texts"}}) {
    EXPECT_THAT(read_facts(file(line), 0).error().message, HasSubstr(message));
    EXPECT_THAT(read_questions(file(line)).error().message, HasSubstr(message));
  }
  EXPECT_THAT(read_questions(file("[1]\n")).error().message, HasSubstr("question and answer"));
  for (const auto& [key, value] :
       std::vector<std::pair<const char*, const char*>>{{"subject", "[]"},
                                                        {"paraphrases", R"("x")"},
                                                        {"neighbours", "[1]"},
                                                        {"neighbours", R"({"question": "x"})"},
                                                        {"completion", "1"}}) {
    const auto facts = read_facts(
        file(fmt::format(R"({{"question": "x", "answer": ["a"], "{}": {}}})", key, value)), 0);
    ASSERT_FALSE(facts) << key << value;
    EXPECT_EQ(facts.error().code, base::Code::kInvalid);
  }
}

}  // namespace
}  // namespace expunge::repair
