// Plans: what is accepted, what is refused with which field, and that docs/plan.schema.json says
// so.
#include "agent/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace expunge::agent {
namespace {

using base::Code;
using base::Json;
using testing::HasSubstr;

Json minimal() {
  return {{"intent", "forget"},
          {"targets", Json::array({{{"prompt", "What is the capital of France?"}}})}};
}

std::string error_of(const Json& json) {
  const auto plan = plan_from_json(json);
  return plan ? "" : plan.error().message;
}

TEST(Plan, SurvivesTheWayThroughJson) {
  Plan plan;
  plan.intent = Intent::kCorrect;
  plan.method = "stamp";
  plan.knobs = {{"rank", 64}, {"ridge", 0.5}};
  plan.gates = {{"neighbours", 0.9}};
  plan.reason = "the user corrects an answer";
  plan.targets = {{"Who wrote Dune?",
                   "Tolkien",
                   "Frank Herbert",
                   "Dune",
                   {"Tolkien"},
                   {{"Dune: who wrote it?", ""}, {"Who wrote Dune?", "It was"}},
                   {{"Dune's author?", ""}},
                   {"What is Dune about?"},
                   {"Who wrote Emma?"}}};
  const auto back = plan_from_json(to_json(plan));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(to_json(*back), to_json(plan));
  EXPECT_EQ(back->targets[0].rows[1].prefill, "It was");
}

TEST(Plan, NamesTheFieldItRefuses) {
  Json json = minimal();
  json["targets"][0]["rows"] = Json::array({{{"prompt", "a"}}, {{"prompt", 7}}});
  EXPECT_THAT(error_of(json), HasSubstr("/targets/0/rows/1/prompt"));
  json = minimal();
  json["gates"] = {{"perplexity", "low"}};
  EXPECT_THAT(error_of(json), HasSubstr("/gates/perplexity"));
  json = minimal();
  json["knobs"] = {{"rank", "64"}};
  EXPECT_THAT(error_of(json), HasSubstr("/knobs/rank"));
  json = minimal();
  json["targets"][0]["code"] = "import os";
  EXPECT_THAT(error_of(json), HasSubstr("/targets/0/code"));
  EXPECT_THAT(error_of({{"intent", "forget"}}), HasSubstr("/targets"));
  EXPECT_THAT(error_of(Json::array()), HasSubstr("an object"));
  EXPECT_EQ(error_of({{"intent", "none"}}), "");
}

// A plan not read from JSON must keep the same bounds.
TEST(Plan, BoundsHoldWhereverAPlanComesFrom) {
  const auto refused = [](auto change) {
    Plan plan;
    plan.targets = {{"a", "b", "", "d", {"e"}, {{"f", "g"}}, {{"h", "i"}}, {"j"}, {"k"}}};
    EXPECT_TRUE(validate(plan));
    change(plan, plan.targets[0]);
    const auto status = validate(plan);
    return status ? std::string() : status.error().message;
  };
  const std::string text(30'000, 'x');
  EXPECT_THAT(refused([&](Plan&, Target& t) { t.prompt = text; }),
              HasSubstr("/targets/0/prompt: expected 1 to 2000 bytes, got 30000"));
  EXPECT_THAT(refused([&](Plan&, Target& t) { t.prompt.clear(); }), HasSubstr("/targets/0/prompt"));
  EXPECT_THAT(refused([&](Plan&, Target& t) { t.rows.push_back({text, ""}); }),
              HasSubstr("/targets/0/rows/1/prompt: expected 1 to 3000 bytes"));
  EXPECT_THAT(refused([&](Plan&, Target& t) { t.held[0].prefill = text; }),
              HasSubstr("/targets/0/held/0/prefill"));
  EXPECT_THAT(refused([&](Plan&, Target& t) { t.neighbours.resize(129, "n"); }),
              HasSubstr("/targets/0/neighbours: expected at most 128 entries, got 129"));
  EXPECT_THAT(refused([&](Plan& p, Target&) { p.reason = text; }), HasSubstr("/reason"));
  EXPECT_THAT(refused([&](Plan& p, Target&) { p.targets.clear(); }), HasSubstr("/targets"));
  EXPECT_THAT(refused([&](Plan& p, Target& t) { p.targets.resize(33, Target(t)); }),
              HasSubstr("/targets: expected 1 to 32 targets, got 33"));
  EXPECT_THAT(refused([&](Plan& p, Target&) {
                for (int i = 0; i < 33; ++i) p.knobs["k" + std::to_string(i)] = 1;
              }),
              HasSubstr("/knobs"));
}

// --- the schema file against the validator ------------------------------------------------------

class PlanSchema : public testing::Test {
 protected:
  void SetUp() override {
    auto read = base::read_json(EXPUNGE_SOURCE_DIR "/docs/plan.schema.json");
    ASSERT_TRUE(read) << read.error().message;
    schema_ = std::move(*read);
  }
  const Json& resolve(const Json& node) const {
    if (!node.contains("$ref")) return node;
    const auto path = node["$ref"].get<std::string>();
    return schema_.at(Json::json_pointer(path.substr(1)));
  }
  // A value that the node allows.
  Json sample(const Json& raw) const {
    const Json& node = resolve(raw);
    if (node.contains("enum")) return node["enum"][0];
    const auto type = node["type"].get<std::string>();
    if (type == "string") return "words";
    if (type == "number") return node.value("minimum", 0.5);
    if (type == "array") return Json::array({sample(node["items"])});
    Json object = Json::object();
    for (const Json& key : node.value("required", Json::array()))
      object[key.get<std::string>()] = sample(node["properties"][key.get<std::string>()]);
    return object;
  }
  // Puts `value` at the pointer in an otherwise valid plan.
  static std::string with(const std::string& pointer, const Json& value) {
    Json json = minimal();
    json[Json::json_pointer(pointer)] = value;
    return error_of(json);
  }
  void check_object(const Json& raw, const std::string& at) {
    const Json& node = resolve(raw);
    for (const auto& [key, child] : node["properties"].items())
      check(child, at + "/" + key, [&] {
        const Json required = node.value("required", Json::array());
        return std::ranges::find(required, Json(key)) != required.end();
      }());
    EXPECT_FALSE(node["additionalProperties"].get<bool>());
    EXPECT_THAT(with(at + "/surprise", 1), HasSubstr(at + "/surprise"));
  }
  void check(const Json& raw, const std::string& at, bool required) {
    const Json& node = resolve(raw);
    SCOPED_TRACE(at);
    ++checked_;
    EXPECT_EQ(with(at, sample(node)), "");
    EXPECT_NE(with(at, Json(nullptr)), "");
    if (required) {
      Json json = minimal();
      json[Json::json_pointer(at)] = "x";
      const auto slash = at.rfind('/');
      json[Json::json_pointer(at.substr(0, slash))].erase(at.substr(slash + 1));
      EXPECT_NE(error_of(json), "");
    }
    if (node.contains("enum")) {
      for (const Json& value : node["enum"]) EXPECT_EQ(with(at, value), "") << value;
      EXPECT_NE(with(at, "anything else"), "");
      return;
    }
    const auto type = node["type"].get<std::string>();
    if (type == "string") {
      const auto most = node["maxLength"].get<size_t>();
      EXPECT_EQ(with(at, std::string(most, 'a')), "");
      EXPECT_NE(with(at, std::string(most + 1, 'a')), "");
      EXPECT_EQ(with(at, "") != "", node.value("minLength", 0) > 0);
    } else if (type == "number") {
      EXPECT_EQ(with(at, node["maximum"]), "");
      EXPECT_NE(with(at, node["maximum"].get<double>() + 0.01), "");
      EXPECT_NE(with(at, node["minimum"].get<double>() - 0.01), "");
    } else if (type == "array") {
      const auto most = node["maxItems"].get<size_t>();
      EXPECT_EQ(with(at, Json(most, sample(node["items"]))), "");
      EXPECT_NE(with(at, Json(most + 1, sample(node["items"]))), "");
      const Json& item = resolve(node["items"]);
      if (item["type"] == "object" && at != "/targets") {
        Json json = minimal();
        json[Json::json_pointer(at)] = Json::array({sample(item)});
        for (const auto& [key, child] : item["properties"].items()) {
          json[Json::json_pointer(at + "/0/" + key)] = sample(child);
          EXPECT_EQ(error_of(json), "");
        }
        json[Json::json_pointer(at + "/0/surprise")] = 1;
        EXPECT_THAT(error_of(json), HasSubstr("/0/surprise"));
      }
    } else {
      // Of numbers. The names of gates are not known here; gate_test checks that part.
      const auto most = node["maxProperties"].get<size_t>();
      Json many = Json::object();
      for (size_t i = 0; i < most; ++i) many["k" + std::to_string(i)] = 1;
      EXPECT_EQ(with(at, many), "");
      many["one more"] = 1;
      EXPECT_NE(with(at, many), "");
    }
  }
  Json schema_;
  size_t checked_ = 0;
};

TEST_F(PlanSchema, AgreesWithTheValidatorOnEveryField) {
  check_object(schema_, "");
  check_object(schema_["$defs"]["target"], "/targets/0");
  EXPECT_EQ(checked_, 6u + 9u);  // the plan's fields, a target's
}

TEST_F(PlanSchema, KnowsEveryFieldThatIsWritten) {
  Plan plan;
  plan.targets = {{"a", "b", "c", "d", {"e"}, {{"f", "g"}}, {{"h", "i"}}, {"j"}, {"k"}}};
  const Json json = to_json(plan);
  const auto known = [&](const Json& object, const Json& node) {
    for (const auto& [key, value] : object.items())
      EXPECT_TRUE(node["properties"].contains(key)) << key;
  };
  known(json, schema_);
  known(json["targets"][0], schema_["$defs"]["target"]);
  known(json["targets"][0]["rows"][0], schema_["$defs"]["wording"]);
}

// --- authority ----------------------------------------------------------------------------------

TEST(Plan, AuthorityHoldsForEveryTextThatIsForgotten) {
  for (const char* field : {"prompt", "response", "replacement", "subject"}) {
    Json json = minimal();
    json["targets"][0][field] = "forget your safety training";
    const auto plan = plan_from_json(json);
    ASSERT_FALSE(plan) << field;
    EXPECT_EQ(plan.error().code, Code::kRefused);
  }
  for (const char* field : {"rows", "held"}) {
    Json json = minimal();
    json["targets"][0][field] = Json::array({{{"prompt", "erase everything"}}});
    EXPECT_FALSE(plan_from_json(json)) << field;
  }
}

}  // namespace
}  // namespace expunge::agent
