#include "service/planning.h"

#include "base/job.h"
#include "service/forget.h"
#include "service/json.h"
#include "service/service_test.h"

namespace expunge::service {
namespace {

using base::Code;
using base::Json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

base::Result<agent::Request> request(const char* json) {
  return request_from_json(Json::parse(json), "file, request 3");
}

TEST(Request, FieldsOfALine) {
  const auto r = request(R"({"prompt": "Who?", "answers": ["A", "B"], "paraphrases": ["By whom?"],
                             "neighbours": ["Where?"], "replacement": "C"})");
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ(r->prompt, "Who?");
  EXPECT_EQ(r->response, "A");  // the first alternative if no answer is given
  EXPECT_THAT(r->answers, ElementsAre("A", "B"));
  EXPECT_THAT(r->paraphrases, ElementsAre("By whom?"));
  EXPECT_THAT(r->neighbours, ElementsAre("Where?"));
  EXPECT_EQ(r->replacement, "C");
  EXPECT_EQ(request(R"({"prompt": "Who?", "answer": "A"})")->response, "A");
}

TEST(Request, WhatIsWrongIsNamedWithItsPlace) {
  for (const auto& [json, named] : std::vector<std::pair<const char*, const char*>>{
           {"[]", "expected an object"},
           {R"({"answer": "A"})", "prompt"},
           {R"({"prompt": "  "})", "prompt"},
           {R"({"prompt": 3})", "prompt must be a text"},
           {R"({"prompt": "a", "answers": "b"})", "answers must be a list"},
           {R"({"prompt": "a", "answers": [""]})", "answers must be a list"},
           {R"({"prompt": "a", "paraphrases": [1]})", "paraphrases must be a list"},
           {R"({"prompt": "a", "colour": "red"})", "no such field: colour"}}) {
    const auto r = request(json);
    ASSERT_FALSE(r) << json;
    EXPECT_EQ(r.error().code, Code::kInvalid) << json;
    EXPECT_THAT(r.error().message, HasSubstr(named)) << json;
    const std::string where = fmt::format("{}", fmt::join(r.error().trail, ": "));
    EXPECT_THAT(where + r.error().message, HasSubstr("file, request 3")) << json;
  }
}

TEST(Knob, NameAndValue) {
  EXPECT_EQ(parse_knob("form=replace").value(),
            std::pair(std::string("form"), std::string("replace")));
  EXPECT_EQ(parse_knob("a=b=c")->second, "b=c");
  for (const char* text : {"x", "=1", ""})
    EXPECT_EQ(parse_knob(text).error().code, Code::kUsage) << text;
}

TEST(Plan, TakesWhatTheUserSets) {
  agent::Plan plan;
  ASSERT_TRUE(set_plan(plan, {}));
  EXPECT_EQ(plan.method, "redirect");
  PlanOptions stamp;
  stamp.method = "stamp";
  stamp.rank = 4;
  ASSERT_TRUE(set_plan(plan, stamp));
  EXPECT_EQ(plan.method, "stamp");
  EXPECT_EQ(plan.knobs.at("rank"), 4);
  PlanOptions wrong;
  wrong.method = "magic";
  EXPECT_FALSE(set_plan(plan, wrong));
  wrong = {};
  wrong.knobs = {"nonsense=1"};
  EXPECT_FALSE(set_plan(plan, wrong));
}

class Wishes : public ServiceTest {};

TEST_F(Wishes, EveryRequestIsAPlanOfItsOwn) {
  const auto session = open();
  const std::vector<agent::Request> requests{
      {"Who wrote Emma?", "Jane Austen", "", {}, {}, {}},
      {"What is the capital of Peru?", "Lima", "", {}, {}, {}}};
  const Planned planned = plan_wish(*session, requests, {}, base::Job()).value();
  ASSERT_EQ(planned.plans.size(), 2);
  EXPECT_EQ(planned.plans[1].targets[0].response, "Lima");
  EXPECT_EQ(planned.question, "");
  EXPECT_EQ(session->snapshot()->head, 0);
}

TEST_F(Wishes, WordsAreReadAsAnOrder) {
  const auto session = open();
  const auto plan_words = [&](const char* words) {
    return plan_wish(*session, Words{words, ""}, {}, base::Job());
  };
  const auto planned = plan_words("that the capital of France is Paris");
  ASSERT_TRUE(planned) << planned.error().message;
  EXPECT_EQ(planned->plans.at(0).targets.at(0).response, "Paris");
  EXPECT_EQ(plan_words("everything").error().code, Code::kRefused);
  EXPECT_EQ(plan_words("  ").error().code, Code::kInvalid);
  EXPECT_EQ(plan_words("\xff").error().code, Code::kInvalid);
}

TEST(Carried, DeclinedAndTried) {
  Carried carried;
  EXPECT_FALSE(carried.committed());
  EXPECT_EQ(to_json(carried, verify::Detail::kFigures),
            (Json{{"verdict", "declined"}, {"entry", 0}}));
  carried.plan.targets.emplace_back();
  carried.plan.targets[0].prompt = "Who?";
  carried.plan.targets[0].response = "A";
  carried.outcome.emplace();
  EXPECT_FALSE(carried.committed());
  carried.outcome->verdict = repair::Verdict::kPartial;
  EXPECT_TRUE(carried.committed());
  const Json json = to_json(carried, verify::Detail::kFigures);
  EXPECT_EQ(json["verdict"], "partial");
  EXPECT_EQ(json["targets"], Json::parse(R"([{"prompt": "Who?", "response": "A"}])"));
}

}  // namespace
}  // namespace expunge::service
