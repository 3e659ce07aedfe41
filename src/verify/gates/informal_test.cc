// What the gate `informal` makes of a question. Its share is seen to fail by gate_run_test.
#include <gmock/gmock.h>

#include "verify/gate.h"

namespace expunge::verify {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> asked(const GateQuestions& given) {
  std::vector<std::string> prompts;
  for (const Question& q : find_gate("informal")->questions(given)) {
    EXPECT_EQ(q.prefill, "");
    EXPECT_THAT(q.answers, ElementsAre("Paris"));
    prompts.push_back(q.prompt);
  }
  return prompts;
}

TEST(Informal, LowersDropsTheMarkAndSlipsOnce) {
  GateQuestions given;
  given.exact = {{"What is the capital of France?", "", {"Paris"}}};
  EXPECT_THAT(asked(given),
              ElementsAre("what is the capital of france", "what is the captial of france",
                          "what is the captal of france"));
  given.paraphrases = {{"Name France's seat of government.", "", {"Paris"}},
                       {"What is the capital of France?", "It is", {"Paris"}},
                       {"France has which capital?", "", {"Paris"}}};
  EXPECT_THAT(asked(given),
              ElementsAre("what is the capital of france", "what is the captial of france",
                          "what is the captal of france", "name france's seat of govermnent",
                          "france has which capital"));
}

TEST(Informal, LeavesAloneWhatHasNoLetters) {
  GateQuestions given;
  given.exact = {{"1 + 1", "", {"Paris"}}};
  EXPECT_THAT(asked(given), IsEmpty());
  given.exact = {{"法国的首都是哪里", "", {"Paris"}}};
  EXPECT_THAT(asked(given), IsEmpty());
  given.exact = {{"Aaaa, oooo?", "", {"Paris"}}};  // equal letters: nothing to swap
  EXPECT_THAT(asked(given), ElementsAre("aaaa, oooo", "aaa, oooo"));
  given.exact = {{"", "", {"Paris"}}};
  EXPECT_THAT(asked(given), IsEmpty());
}

}  // namespace
}  // namespace expunge::verify
