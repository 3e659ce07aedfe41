// The edited model as a file, asked again: by its own weights, and as llama.cpp will compute it.
#include "service/export.h"

#include <algorithm>
#include <filesystem>

#include "service/json.h"
#include "service/planted_test.h"

namespace expunge::service {
namespace {

using base::Code;
using publish::Format;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ExportUseCase : public PlantedTest {
 protected:
  base::Result<ExportResult> run(Session& session, Format format, const std::string& name) const {
    publish::ExportOptions options;
    options.format = format;
    options.path = path(name);
    return export_model(session, options, base::Job());
  }
  static std::vector<int64_t> asked(const VerifyResult& result) {
    std::vector<int64_t> entries;
    for (const repair::Verified& v : result.entries) entries.push_back(v.entry);
    return entries;
  }
  // Name, value and number of questions of each gate of the only entry.
  static base::Json figures(const VerifyResult& result) {
    return verify::to_json(result.entries.at(0).now, verify::Detail::kFigures)["gates"];
  }
};

TEST_F(ExportUseCase, AGgufIsAskedAsWrittenAndAsLlamaCppRounds) {
  const auto session = open();
  forget(*session, 0, 1);
  const ExportResult result = run(*session, Format::kGguf, "out.gguf").value();
  EXPECT_FALSE(result.exported.edited.empty());
  EXPECT_THAT(asked(result.gates), ElementsAre(1));
  EXPECT_THAT(asked(result.runtime_gates), ElementsAre(1));
  for (const VerifyResult* gates : {&result.gates, &result.runtime_gates})
    EXPECT_EQ(gates->entries[0].now.find("exact")->value, 1);
  // The matrices are float32: nothing is rounded, and both ask the same questions.
  EXPECT_EQ(figures(result.gates), figures(result.runtime_gates));
  EXPECT_EQ(result.gates.passed(), session->verify(0).value()[0].now.passed());
  EXPECT_EQ(run(*session, Format::kGguf, "out.gguf").error().code, Code::kConflict);
}

TEST_F(ExportUseCase, OtherFormatsAreAskedOnce) {
  const auto session = open();
  forget(*session, 0, 1);
  for (const Format format : {Format::kSafetensors, Format::kPeft}) {
    const auto result = run(*session, format, std::string(publish::name(format)));
    ASSERT_TRUE(result) << result.error().message;
    ASSERT_THAT(asked(result->gates), ElementsAre(1));
    EXPECT_EQ(result->gates.entries[0].now.find("exact")->value, 1);
    EXPECT_THAT(result->runtime_gates.entries, IsEmpty());
    EXPECT_EQ(result->passed(), result->gates.passed());
  }
}

TEST_F(ExportUseCase, AFileWhoseGatesFailStays) {
  const auto session = open();
  EXPECT_EQ(forget(*session, 0, 1, {{"reply_nll", 0}}).verdict, repair::Verdict::kPartial);
  const ExportResult result = run(*session, Format::kGguf, "out.gguf").value();
  EXPECT_FALSE(result.passed());
  EXPECT_FALSE(result.gates.passed());
  EXPECT_FALSE(result.runtime_gates.passed());
  EXPECT_TRUE(std::filesystem::exists(path("out.gguf")));
}

TEST_F(ExportUseCase, WhatCannotBeAskedIsCounted) {
  const auto session = open();
  seal(*session, forget(*session, 0, 1).entry);
  const base::Json sets = {{"forget", {{"items", 2}, {"sha256", "f"}}},
                           {"retain", {{"items", 0}, {"sha256", ""}}}};
  add_trained(*session, grown(*session, 0.01), sets, {{"forget_prob", 0.1}});
  const ExportResult none = run(*session, Format::kGguf, "none.gguf").value();
  EXPECT_EQ(none.gates.sealed, 1);
  EXPECT_EQ(none.gates.trained, 1);
  EXPECT_THAT(none.gates.entries, IsEmpty());
  EXPECT_TRUE(none.passed());

  forget(*session, 1, 5);
  const ExportResult one = run(*session, Format::kGguf, "one.gguf").value();
  for (const VerifyResult* gates : {&one.gates, &one.runtime_gates}) {
    EXPECT_EQ(gates->sealed, 1);
    EXPECT_EQ(gates->trained, 1);
    EXPECT_THAT(asked(*gates), ElementsAre(3));
  }
}

TEST(ExportResultTest, BothMustPass) {
  const auto of = [](double value) {
    verify::Report report;
    for (const char* name : {"exact", "neighbours"})
      report.gates.push_back({.name = name,
                              .section = verify::find_gate(name)->section,
                              .value = value,
                              .bound = 0.5});
    VerifyResult result;
    result.entries.push_back({1, report});
    return result;
  };
  const VerifyResult good = of(1), bad = of(0);
  EXPECT_TRUE((ExportResult{{}, good, good}).passed());
  EXPECT_FALSE((ExportResult{{}, good, bad}).passed());
  EXPECT_FALSE((ExportResult{{}, bad, good}).passed());
  EXPECT_TRUE((ExportResult{{}, good, {}}).passed());
}

}  // namespace
}  // namespace expunge::service
