// The options of a request, and what is decided where nobody can be asked.
#include "cli/request.h"

#include <gmock/gmock.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace expunge::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::internal::CaptureStdout;
using ::testing::internal::GetCapturedStdout;

RequestOptions request_options(const std::string& words) {
  CLI::App app;
  Arguments arguments(app);
  RequestOptions o;
  add_request_options(arguments, o);
  app.parse(words);
  return o;
}

TEST(RequestOptions, FromTheCommandLine) {
  const RequestOptions plain = request_options("");
  EXPECT_EQ(plain.agreement, Agreement::kAsk);
  EXPECT_EQ(plain.partial, Partial::kAsk);
  EXPECT_EQ(plain.budget_s, 20);
  const RequestOptions all =
      request_options("-y --keep-partial --seal --details --seed 7 --budget 3");
  EXPECT_EQ(all.agreement, Agreement::kGiven);
  EXPECT_EQ(all.partial, Partial::kKeep);
  EXPECT_TRUE(all.seal);
  EXPECT_TRUE(all.details);
  EXPECT_EQ(all.seed, 7);
  EXPECT_EQ(all.budget_s, 3);
  for (const char* words : {"--budget 0", "--seed x"})
    EXPECT_THROW(request_options(words), CLI::ParseError) << words;
}

TEST(PlanOptions, KnobsMayBeRepeated) {
  CLI::App app;
  Arguments arguments(app);
  service::PlanOptions o;
  add_plan_options(arguments, o);
  app.parse("--method stamp --knob a=1 --knob b=2 --rank 4 --surgeon http://x");
  EXPECT_EQ(o.method, "stamp");
  EXPECT_THAT(o.knobs, ElementsAre("a=1", "b=2"));
  EXPECT_EQ(o.rank, 4);
  EXPECT_EQ(o.surgeon, "http://x");
}

TEST(ForgetOptions, WhereNobodyIsThereAPartialEditIsRevertedUnlessItMayStay) {
  Terminal t((base::Job()));
  RequestOptions o;
  o.seal = true;
  o.seed = 9;
  const repair::ForgetOptions asked = forget_options(t, o);
  EXPECT_EQ(seal_of(o), journal::Seal::kYes);
  EXPECT_EQ(asked.seed, 9);
  o.partial = Partial::kKeep;
  EXPECT_EQ(forget_options(t, o).decide({}), repair::Decision::kKeepPartial);
  o.partial = Partial::kRevert;
  EXPECT_EQ(forget_options(t, o).decide({}), repair::Decision::kRevert);
  o.partial = Partial::kAsk;
  if (t.interactive()) return;  // a person would be asked
  EXPECT_EQ(forget_options(t, o).decide({}), repair::Decision::kRevert);
}

TEST(Agreement, IsGivenOrAsked) {
  Terminal t((base::Job()));
  EXPECT_TRUE(agrees(t, {}, Agreement::kGiven).value());
  if (t.interactive()) return;  // a person would be asked
  EXPECT_EQ(agrees(t, {}, Agreement::kAsk).error().code, base::Code::kUsage);
}

repair::Outcome outcome(repair::Verdict verdict, double value) {
  repair::Outcome o;
  o.verdict = verdict;
  o.entry = verdict == repair::Verdict::kReverted ? 0 : 4;
  o.after.gates = {{"exact",
                    verify::Section::kForgotten,
                    verify::Sense::kAtLeast,
                    value,
                    1,
                    {{"Who?", "", "Me", true}},
                    ""}};
  o.before = o.after;
  o.before.gates[0].value = 0;
  o.seconds = {{"total", 2.5}, {"gates", 1.25}, {"plan", 0.00001}};
  return o;
}
std::string printed(const repair::Outcome& o, verify::Detail detail = verify::Detail::kFigures) {
  CaptureStdout();
  Terminal t((base::Job()));
  print_outcome(t, o, detail);
  return GetCapturedStdout();
}

TEST(Outcome, EveryVerdictInItsWords) {
  EXPECT_THAT(printed(outcome(repair::Verdict::kPassed, 1)),
              HasSubstr("Forgotten in 2.5 s: entry 4 of the journal\n"));
  EXPECT_THAT(printed(outcome(repair::Verdict::kPartial, 0.5)),
              HasSubstr("Partly forgotten in 2.5 s: entry 4; the question itself 0.5"));
  EXPECT_THAT(printed(outcome(repair::Verdict::kReverted, 0.5)),
              HasSubstr("Nothing was changed in 2.5 s: the question itself 0.5"));
}

TEST(Outcome, WhatAPersonShouldKnowBesides) {
  repair::Outcome o = outcome(repair::Verdict::kPassed, 1);
  EXPECT_THAT(printed(o), HasSubstr("gates 1.2 s\n"));  // parts too short to matter are left out
  EXPECT_THAT(printed(o), Not(HasSubstr("plan 0")));
  EXPECT_THAT(printed(o), Not(HasSubstr("did not give this answer")));
  EXPECT_THAT(printed(o), Not(HasSubstr("Who?")));
  EXPECT_THAT(printed(o, verify::Detail::kItems), HasSubstr("Who?"));
  o.before.gates[0].value = 1;
  o.active = service::kMeasuredEdits + 1;
  o.earlier = {{2, 2, 1}};
  EXPECT_THAT(printed(o), HasSubstr("did not give this answer before either"));
  EXPECT_THAT(printed(o), HasSubstr("edits are active."));
  EXPECT_THAT(printed(o), HasSubstr("1 of 2 still forgotten; not those of 2"));
}

}  // namespace
}  // namespace expunge::cli
