#include "cli/evidence.h"

#include <gmock/gmock.h>

#include "cli/layout.h"
#include "verify/gate.h"

namespace expunge::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using verify::GateResult;
using verify::Section;
using verify::Sense;

GateResult shares(const char* name, double bound, std::vector<bool> good) {
  GateResult g{name, verify::find_gate(name)->section, Sense::kAtLeast, 0, bound, {}, ""};
  for (const bool one : good) g.items.push_back({"asked", "", "said", one});
  g.value = static_cast<double>(std::ranges::count(good, true)) / static_cast<double>(good.size());
  return g;
}
verify::Report report() {
  verify::Report r;
  r.gates = {shares("exact", 1, {true}), shares("paraphrases", 0.66, {true, false}),
             GateResult{"neighbours", Section::kKept, Sense::kAtLeast, 0, 0, {}, "there are none"},
             GateResult{"perplexity", Section::kLanguage, Sense::kAtMost, 1.012, 1.05, {}, ""},
             GateResult{"reply_nll", Section::kLanguage, Sense::kAtMost, 4, 3.5, {}, ""}};
  return r;
}
Terminal terminal() { return Terminal(base::Job()); }

void expect_fits(const std::string& text) {
  for (size_t at = 0, end; (end = text.find('\n', at)) != text.npos; at = end + 1)
    EXPECT_LE(columns(text.substr(at, end - at)), kColumns) << text;
}

TEST(GateTable, CountsBoundsAndMarks) {
  const std::string table = gate_table(terminal(), nullptr, report());
  EXPECT_THAT(table, HasSubstr("  forgotten\n    the question itself"));
  EXPECT_THAT(table, HasSubstr("1/1   ≥ 1.00     pass"));
  EXPECT_THAT(table, HasSubstr("1/2   ≥ 0.66     FAIL"));
  EXPECT_THAT(table, HasSubstr("1.012   ≤ 1.05     pass"));
  EXPECT_THAT(table, HasSubstr("not asked"));
  EXPECT_THAT(table, HasSubstr("now"));
  EXPECT_THAT(table, Not(HasSubstr("unrelated")));  // a gate that is not there has no row
  expect_fits(table);
  const verify::Report before = report();
  EXPECT_THAT(gate_table(terminal(), &before, report()), HasSubstr("before    after"));
}

TEST(Failures, NameEachWithItsBound) {
  EXPECT_EQ(failures(report()),
            "unseen paraphrases 0.5, at least 0.66 is needed; "
            "reply, nats a token 4, at most 3.5 is needed");
  EXPECT_EQ(failures({}), "");
}

TEST(ReplyList, EveryReplyInOneLineThatFits) {
  verify::Report r;
  r.gates = {shares("exact", 1, {false})};
  r.gates[0].items[0] = {"What is it?", "It is", std::string(200, 'x') + "\n\x1b[31m", false};
  const std::string list = reply_list(terminal(), r);
  EXPECT_THAT(list, HasSubstr("- What is it? → It is\n"));
  EXPECT_THAT(list, Not(HasSubstr("\x1b")));
  EXPECT_EQ(std::ranges::count(list, '\n'), 3);
  expect_fits(list);
}

// What to_json wrote is read back, and a sealed entry keeps its figures.
TEST(ReportReading, RoundTrip) {
  const verify::Report r = report();
  const base::Json json = verify::to_json(r, verify::Detail::kItems);
  const verify::Report back = verify::report_from_json(json);
  EXPECT_EQ(verify::to_json(back, verify::Detail::kItems), json);
  EXPECT_EQ(gate_table(terminal(), nullptr, back), gate_table(terminal(), nullptr, r));
}

TEST(ReportReading, WhatIsNotThereIsLeftOut) {
  using base::Json;
  for (const char* text : {"null", "3", "[]", "{}", R"({"gates": 3})", R"({"gates": [3, null]})"})
    EXPECT_TRUE(verify::report_from_json(Json::parse(text)).gates.empty()) << text;
  const auto sealed = verify::report_from_json(Json::parse(
      R"({"gates": [{"name": "exact", "passed": true, "items": [{"good": true}, 3]}]})"));
  ASSERT_EQ(sealed.gates.size(), 1);
  EXPECT_EQ(sealed.gates[0].absent, "sealed");
  ASSERT_EQ(sealed.gates[0].items.size(), 1);
  EXPECT_EQ(sealed.gates[0].items[0].prompt, "");
}

TEST(ProposalText, OneLineATarget) {
  agent::Plan plan;
  plan.targets.resize(2);
  plan.targets[0].prompt = "Who?";
  plan.targets[0].response = "A";
  plan.targets[1] = plan.targets[0];
  plan.targets[1].replacement = "B\x07";
  EXPECT_EQ(proposal(plan), "Forget: Q 'Who?' answer 'A'\nForget: Q 'Who?' answer 'A' → 'B'");
  plan.intent = agent::Intent::kCorrect;
  EXPECT_THAT(proposal(plan), ::testing::StartsWith("Correct: "));
}

TEST(RecheckLine, SaysWhichLeak) {
  EXPECT_EQ(recheck_line(terminal(), {}), "");
  EXPECT_EQ(recheck_line(terminal(), {{1, 2, 2}, {2, 2, 2}}),
            "earlier requests asked again: 4 of 4 still forgotten");
  EXPECT_THAT(recheck_line(terminal(), {{1, 2, 2}, {5, 2, 1}}),
              HasSubstr("3 of 4 still forgotten; not those of 5"));
}

}  // namespace
}  // namespace expunge::cli
