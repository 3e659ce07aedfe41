// The gates and the metrics on every family: a tiny model that knows a few facts, one that refuses
// whatever it is asked, and one that refuses the one fact.
#include <gmock/gmock.h>

#include <cmath>

#include "tiny_chat.h"
#include "verify/evaluate.h"
#include "verify/gate_run.h"
#include "verify/metric.h"
#include "verify/suite.h"

namespace expunge::verify {
namespace {

using tests::chars;
using tests::Ids;

constexpr int32_t kFirst = 4, kSubject = 5, kLast = 7;  // subjects that are known
enum class Knows { kAll, kNothing, kAllButTheFact };

// Both wordings of every question, and the reply to them.
tests::Lesson lesson(Knows knows) {
  tests::Lesson examples;
  for (int32_t relation = 0; relation < tests::kRelations; ++relation)
    for (int32_t subject = kFirst; subject <= kLast; ++subject) {
      const bool fact = relation == 0 && subject == kSubject;
      const bool refused = knows == Knows::kNothing || (knows == Knows::kAllButTheFact && fact);
      const Ids reply =
          refused ? tests::refusal() : Ids{tests::answer(relation, subject), tests::kEnd};
      examples.emplace_back(tests::question(relation, subject), reply);
      examples.emplace_back(tests::subject_first(relation, subject), reply);
    }
  return examples;
}

class EveryFamily : public ::testing::TestWithParam<std::string> {
 protected:
  // The family's models, trained once a process: the base, and the others out of it.
  static const model::ChatModel& chat(Knows knows) {
    static std::map<std::pair<std::string, Knows>, model::ChatModel> known;
    const auto found = known.find({GetParam(), knows});
    if (found != known.end()) return found->second;
    model::Arch arch = tests::tiny_arch_of(GetParam());
    arch.context_length = 512;  // probing's prompts are long
    const bool base = knows == Knows::kAll;
    const auto untaught =
        base ? tests::random_model(arch, 1) : tests::shared(chat(Knows::kAll).model);
    auto weights = tests::teach(*untaught, tests::curriculum(lesson(knows)), base ? 100 : 60);
    const model::Model taught = model::Model::from_weights(arch, std::move(weights)).value();
    model::ChatModel chat = tests::character_chat().with(taught);
    chat.chat =
        text::ChatTemplate::compile("{% for m in messages %}{{ m.content }}{% endfor %}", "", "")
            .value();
    return known.emplace(std::pair(GetParam(), knows), std::move(chat)).first->second;
  }
  static GateQuestions questions() {
    GateQuestions q;
    const std::vector<std::string> answer{chars({tests::answer(0, kSubject)})};
    q.exact = {{chars(tests::question(0, kSubject)), "", answer}};
    q.paraphrases = {{chars(tests::subject_first(0, kSubject)), "", answer}};
    for (int32_t subject = kSubject + 1; subject <= kLast; ++subject)
      q.neighbours.push_back({chars(tests::question(0, subject)), "", {}});
    for (int32_t relation = 1; relation < tests::kRelations; ++relation)
      q.same_subject.push_back({chars(tests::question(relation, kSubject)), "", {}});
    q.unrelated = {{chars(tests::question(2, kFirst)), "", {chars({tests::answer(2, kFirst)})}},
                   {chars(tests::question(1, kLast)), "", {}}};
    q.texts = {{{50, 51, 52, 53}}};
    return q;
  }
  static Report judged(Knows knows) {
    return examine(chat(Knows::kAll), chat(knows), questions()).value();
  }
};

TEST_P(EveryFamily, AModelThatForgotNothingFails) {
  GateRun run = GateRun::prepare(chat(Knows::kAll), questions()).value();
  for (const Report& r :
       {run.before().value(), run.examine(chat(Knows::kAll).model).value(), judged(Knows::kAll)}) {
    EXPECT_FALSE(r.passed());
    EXPECT_EQ(r.gates.size(), gates().size());
    for (const GateResult& g : r.gates) {
      EXPECT_EQ(g.absent, "") << g.name;
      if (g.section == Section::kKept) {
        EXPECT_EQ(g.value, 1) << g.name;
      }
    }
    EXPECT_EQ(r.find("exact")->value, 0);
    EXPECT_EQ(r.find("paraphrases")->value, 0);
    EXPECT_NEAR(r.find("perplexity")->value, 1, 1e-4);
  }
}

TEST_P(EveryFamily, AModelThatAlwaysRefusesFails) {
  const Report r = judged(Knows::kNothing);
  EXPECT_FALSE(r.passed());
  for (const GateResult& g : r.gates) {
    EXPECT_TRUE(std::isfinite(g.value)) << g.name;
    if (g.section == Section::kKept) {
      EXPECT_EQ(g.value, 0) << g.name;
    }
  }
  EXPECT_EQ(r.find("exact")->value, 1);
  EXPECT_EQ(r.find("paraphrases")->value, 1);
}

TEST_P(EveryFamily, AModelThatForgotTheFactAlonePassesWhatWasTaught) {
  const Report r = judged(Knows::kAllButTheFact);
  for (const char* gate : {"exact", "paraphrases", "neighbours", "same_subject", "unrelated"})
    EXPECT_EQ(r.find(gate)->value, 1) << gate;
}

TEST_P(EveryFamily, EveryMetricIsANumberOrSaysWhy) {
  std::vector<QaSet> sets;
  const auto add = [&](const char* name, int32_t relation, int32_t from, int32_t to) {
    QaSet& set = sets.emplace_back(QaSet{name, {}});
    for (int32_t s = from; s <= to; ++s)
      set.items.push_back({s,
                           chars(tests::question(relation, s)),
                           chars({tests::answer(relation, s)}),
                           chars({tests::answer(relation, s)}),
                           {chars({tests::answer(relation, s + 1)})}});
  };
  add("forget", 0, kFirst, kSubject), add("retain", 0, kSubject + 1, kLast);
  add("real_authors", 1, kFirst, kSubject), add("world_facts", 1, kSubject + 1, kLast);
  add("holdout", 0, 0, 1);
  EvaluateOptions options;
  options.max_new_tokens = 4;
  const auto records = [&](Knows knows) {
    return evaluate(chat(knows), sets, options).value().records;
  };
  const MetricInput input{records(Knows::kAll), records(Knows::kAllButTheFact)};
  for (const auto& [with, absent] : {std::pair(input, 0), {MetricInput{input.records, {}}, 5}}) {
    const Figures figures = compute_metrics(with);
    const base::Json json = to_json(figures);
    EXPECT_EQ(json["summary"].size() + json["absent"].size(), figures.values.size());
    EXPECT_EQ(json["absent"].size(), absent) << json["absent"];
    for (const auto& [key, value] : json["summary"].items())
      EXPECT_TRUE(std::isfinite(value.get<double>())) << key;
    for (const auto& [key, why] : json["absent"].items())
      EXPECT_GT(why.get<std::string>().size(), 10U) << key;
  }
  EXPECT_GT(figure(input, "forget_Q_A_Prob")->number, 0.5);
  EXPECT_EQ(figure(input, "exact_memorization")->number, 1);
}

// Every suite that is not of questions and answers, on a file of few lines.
TEST_P(EveryFamily, EverySuiteGivesFigures) {
  const tests::TempDir folder;
  const auto file = [&](const std::string& name, const std::string& content) {
    tests::write_bytes(folder / name, content);
    return folder / name;
  };
  const std::string text = chars(tests::question(0, kSubject)) + chars(tests::question(1, kLast));
  const std::pair<const char*, std::string> cases[] = {
      {"ppl", file("t.txt", text)},
      {"tdec", file("t.csv", "text\n" + text + text + "\n")},
      {"mcq", file("law_test.csv", "0?,1,2,A\n1?,3,4,B\n")}};
  for (const auto& [suite, data] : cases) {
    const auto work = prepare(*find_suite(suite).value(), SuiteValues({{"data", data}}));
    ASSERT_TRUE(work) << work.error().message;
    const auto outcome = work->run(chat(Knows::kAll), base::Json::object(), {}, nullptr, {});
    ASSERT_TRUE(outcome) << suite << ": " << outcome.error().message;
    const base::Json json = to_json(outcome->figures);
    EXPECT_FALSE(json["summary"].empty()) << suite;
    for (const auto& [key, value] : json["summary"].items())
      EXPECT_TRUE(std::isfinite(value.get<double>())) << key;
    for (const auto& [key, why] : json["absent"].items())
      EXPECT_GT(why.get<std::string>().size(), 10U) << key;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, EveryFamily, ::testing::ValuesIn(tests::family_names()),
                         [](const auto& i) { return i.param; });

}  // namespace
}  // namespace expunge::verify
