// A file of planted facts, forgotten one by one and in sequence: what is counted, and that nothing
// stays.
#include "service/bench_facts.h"

#include "service/planted_test.h"

namespace expunge::service {
namespace {

using base::Code;
using base::Json;
using ::testing::HasSubstr;

class BenchFactsTest : public PlantedTest {
 protected:
  static Json asked(int32_t relation, int32_t subject) {
    return {{"question", question(relation, subject)}, {"answer", {answer(relation, subject)}}};
  }
  // With a paraphrase and a neighbour that the model answers, and one of each that it does not.
  static Json fact(int32_t relation, int32_t subject) {
    Json fact = asked(relation, subject);
    fact["subject"] = tests::chars({12 + subject});
    fact["relation"] = fmt::format("relation{}", relation);
    fact["paraphrases"] = {tests::chars(tests::subject_first(relation, subject)),
                           question(relation, tests::kSubjects)};
    fact["neighbours"] = {asked(relation, (subject + 1) % tests::kSubjects),
                          {{"question", question(relation, tests::kSubjects)}, {"answer", {"0"}}}};
    return fact;
  }
  // Two that it knows, about one subject, and one that it does not.
  std::string facts() const {
    Json unknown = asked(0, tests::kSubjects);
    unknown["answer"] = {"0"};
    return write("facts.jsonl", {fact(0, 1), unknown, fact(1, 1)});
  }
  std::string write(const std::string& name, const std::vector<Json>& lines) const {
    std::string text;
    for (const Json& line : lines) text += base::dump_json(line) + "\n";
    tests::write_bytes(path(name), text);
    return path(name);
  }
  static std::map<std::string, int> kinds(const Json& failures) {
    std::map<std::string, int> n;
    for (const Json& failure : failures) ++n[failure["kind"].get<std::string>()];
    return n;
  }
};

TEST_F(BenchFactsTest, WhatTheModelKnowsIsForgottenAndMeasuredOneByOne) {
  const auto session = open();
  const std::string unrelated =
      write("unrelated.jsonl", {{{"question", question(2, 8)}, {"answer", {answer(2, 8)}}},
                                {{"question", question(2, 9)}, {"answer", {"0"}}}});
  const Json result = bench_facts(*session, {.facts = facts(), .unrelated = unrelated}).value();
  EXPECT_EQ(result["given"], 3);
  EXPECT_EQ(result["items"], 2);
  EXPECT_EQ(result["unrelated_items"], 1);
  EXPECT_EQ(result["exact"], 1.0);
  ASSERT_EQ(result["facts"].size(), 2);
  for (const Json& row : result["facts"]) {
    EXPECT_EQ(row["exact"], true);
    EXPECT_LE(row["paraphrases"].get<int>(), 1);
    EXPECT_LE(row["neighbours"].get<int>(), 1);
    EXPECT_EQ(row["strict"].get<bool>(), row["paraphrases"] == 1 && row["neighbours"] == 1);
    EXPECT_GT(row["edit_norm"].get<double>(), 0);
    EXPECT_FALSE(row["tried"].empty());
  }
  EXPECT_EQ(result["facts"][0]["question"], question(0, 1));
  EXPECT_EQ(result["facts"][1]["question"], question(1, 1));
  // Each share and its failures are of the same questions: two facts with one of each.
  const auto failed = kinds(result["failures"]);
  for (const char* kind : {"exact", "paraphrase", "neighbours", "same_subject", "unrelated"}) {
    const double n_failed = failed.contains(kind) ? failed.at(kind) : 0;
    EXPECT_DOUBLE_EQ(result[kind].get<double>(), 1 - n_failed / 2) << kind;
  }
  for (const Json& failure : result["failures"])
    EXPECT_THAT(failure["fact"].get<std::string>(),
                ::testing::AnyOf(question(0, 1), question(1, 1)));
  EXPECT_GT(result["ppl_ratio"].get<double>(), 0);
  EXPECT_GE(result["ppl_ratio_max"], result["ppl_ratio"]);
  EXPECT_FALSE(result.contains("sequence"));
  EXPECT_TRUE(session->active()->empty());
  EXPECT_EQ(session->present().model.weights_hash(), session->base_hash());
}

TEST_F(BenchFactsTest, ASequenceIsMeasuredWithAllItsEditsAndUndone) {
  const auto session = open();
  BenchFactsOptions options{.facts = facts(), .unrelated = {}, .sequence = 3, .limit = 1};
  size_t written = 0;
  options.written = [&](Session& s) -> base::Result<model::ChatModel> {
    written = s.snapshot()->edits.size();
    return s.snapshot()->base;  // as if the file had lost every edit
  };
  const Json result = bench_facts(*session, options).value();
  EXPECT_EQ(result["given"], 1);
  EXPECT_EQ(result["unrelated"], nullptr);
  const Json& sequence = result["sequence"];
  EXPECT_EQ(sequence["n"], 2);  // the fact and its neighbour that the model knows
  EXPECT_EQ(written, 2);
  EXPECT_EQ(sequence["exact"], 1.0);
  EXPECT_EQ(sequence["neighbours"], nullptr);  // it was forgotten itself
  ASSERT_EQ(sequence["after"].size(), 1);
  EXPECT_EQ(sequence["after"][0]["exact"], sequence["exact"]);
  EXPECT_FALSE(sequence["after"][0].contains("failures"));
  EXPECT_LE(sequence["partial"].get<int>(), 2);
  EXPECT_EQ(sequence["written"]["exact"], 0.0);
  EXPECT_DOUBLE_EQ(sequence["written"]["ppl_ratio"].get<double>(), 1);
  EXPECT_GE(kinds(sequence["written"]["failures"])["exact"], 2);
  EXPECT_EQ(sequence["base_hash_after_undo"], true);
  EXPECT_TRUE(session->active()->empty());
}

TEST_F(BenchFactsTest, PlansAreTheCallers) {
  const auto session = open();
  std::vector<std::string> planned;
  BenchFactsOptions options{.facts = facts()};
  options.plan = [&](Session&, const agent::Request& request) -> base::Result<agent::Plan> {
    planned.push_back(request.prompt);
    return base::fail(Code::kUnsupported, "no plan today");
  };
  const Json result = bench_facts(*session, options).value();
  EXPECT_EQ(planned.front(), question(0, 1));
  // A request that ends in an error is counted, and does not end the benchmark.
  EXPECT_EQ(result["strict"], 0.0);
  EXPECT_EQ(result["failures"][0]["kind"], "not carried out");
  EXPECT_EQ(result["failures"][0]["error"], "no plan today");
}

TEST_F(BenchFactsTest, RefusesWhatCannotBeMeasured) {
  const auto session = open();
  const base::Job job;
  job.cancel();
  EXPECT_EQ(bench_facts(*session, {.facts = facts()}, job).error().code, Code::kCancelled);
  Json unknown = asked(0, 1);
  unknown["answer"] = {"0"};
  const auto none = bench_facts(*session, {.facts = write("unknown.jsonl", {unknown})});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kNotFound);
  EXPECT_THAT(none.error().message, HasSubstr("none of the 1 facts"));
  forget(*session, 0, 2);
  EXPECT_EQ(bench_facts(*session, {.facts = facts()}).error().code, Code::kConflict);
}

}  // namespace
}  // namespace expunge::service
