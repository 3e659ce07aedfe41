#include "service/run_summary.h"

#include <gmock/gmock.h>

namespace expunge::service {
namespace {

using base::Json;

RunSummary full() {
  RunSummary s;
  s.method = "npo";
  s.knobs = {{"beta", 0.1}, {"lr", 1e-5}};
  s.seed = 18446744073709551615U;
  s.system = "Be kind.";
  s.weights_hash = "ab";
  s.forget = {20, "f0"};
  s.retain = {0, "e3"};
  s.citation = "a paper";
  s.expunge = "1";
  s.libtorch = "2";
  s.processes = 2;
  s.skipped = {
      {.set = "forget", .items = 2, .file = "a.json", .row = 3, .tokens = 9000, .limit = 8192}};
  s.epochs = {{3, {0.5, 0.75}}, {6, {0.25, {}}}};
  s.fitted = edit::Fitted{{1.5, 0.1}, {2, 3}, 1, {0.01}};
  s.edit_norm = 0.125;
  s.seconds = 2.5;
  s.peak_memory_gb = 0.5;
  s.before = SetFigures{0.9, 0.8};
  s.after = SetFigures{0.1, {}};
  s.trained_weights_hash = "cd";
  s.entry = 4;
  s.label = "npo lr=1e-5";
  s.finished = true;
  return s;
}

TEST(RunSummary, ComesBackFromItsJson) {
  const Json json = to_json(full());
  const RunSummary back = run_summary_from_json(json, "run.json").value();
  EXPECT_EQ(to_json(back), json);
  EXPECT_EQ(identity_of(back), identity_of(full()));
  EXPECT_EQ(back.skipped[0].row, 3);
  EXPECT_FALSE(back.after->retain_prob);
}

TEST(RunSummary, KeysOfRunJson) {
  std::vector<std::string> keys;
  const Json json = to_json(full());
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  EXPECT_THAT(
      keys, ::testing::ElementsAre("method", "knobs", "seed", "system", "weights_hash", "forget",
                                   "retain", "citation", "expunge", "libtorch", "processes",
                                   "skipped", "epochs", "losses", "gradient_norms", "step_seconds",
                                   "resumed_at", "edit_norm", "seconds", "peak_memory_gb", "before",
                                   "after", "trained_weights_hash", "entry", "label", "finished"));
  EXPECT_EQ(to_json(full())["epochs"][1].dump(), R"({"forget_prob":0.25,"epoch":6})");
  EXPECT_EQ(to_json(full())["skipped"].dump(),
            R"({"forget":{"items":2,"file":"a.json","row":3,"tokens":9000,"limit":8192}})");
  // Of a model evaluated without training.
  RunSummary bare;
  bare.label = "target";
  bare.finished = true;
  EXPECT_EQ(to_json(bare).dump(), R"({"label":"target","finished":true})");
  EXPECT_EQ(to_json(run_summary_from_json(to_json(bare), "").value()), to_json(bare));
}

TEST(RunSummary, TheIdentityIsOfWhatDecidesTheResult) {
  const std::string same = identity_of(full());
  for (const auto change :
       {+[](RunSummary& s) { s.knobs["lr"] = 2e-5; }, +[](RunSummary& s) { s.seed = 2; },
        +[](RunSummary& s) { s.forget.sha256 = "f1"; },
        +[](RunSummary& s) { s.weights_hash = "ac"; }}) {
    RunSummary other = full();
    change(other);
    EXPECT_NE(identity_of(other), same);
  }
  RunSummary later = full();
  later.entry = 5;
  later.epochs.clear();
  EXPECT_EQ(identity_of(later), same);
}

TEST(RunSummary, AnotherFileIsCorrupt) {
  for (const char* text : {R"({"method": "npo"})", R"({"finished": "yes"})", "[1]", R"("x")",
                           R"({"seconds": "long"})", R"({"before": {"forget_prob": "x"}})"}) {
    const auto read = run_summary_from_json(Json::parse(text), "run.json");
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, base::Code::kCorrupt);
    EXPECT_THAT(read.error().message, ::testing::HasSubstr("run.json"));
  }
}

TEST(RunSummary, SkippedItemsAreDescribedWithFileAndRow) {
  EXPECT_EQ(describe(full().skipped[0]),
            "left out 2 items of forget: longer than the model's context; the first is row 3 of "
            "a.json (9000 tokens, the context holds 8192)");
}

}  // namespace
}  // namespace expunge::service
