// The benchmarks as the program starts them: what they refuse, and the watchdog on a file.
#include "service/bench.h"

#include "service/planted_test.h"

namespace expunge::service {
namespace {

using base::Code;
using base::Json;
using ::testing::HasSubstr;

class Bench : public PlantedTest {
 protected:
  std::string dialogues() const {
    const auto labelled = [](const char* id, const char* text, const char* intent, Json targets) {
      return base::dump_json({{"id", id},
                              {"dialogue", {{{"role", "user"}, {"content", text}}}},
                              {"intent", intent},
                              {"targets", std::move(targets)},
                              {"note", "plain, en: a test"}}) +
             "\n";
    };
    tests::write_bytes(
        path("dialogues.jsonl"),
        labelled("a", "Please forget that the capital of France is Paris.", "forget",
                 {{{"prompt", "What is the capital of France?"}, {"response", "Paris"}}}) +
            labelled("b", "How long do I boil an egg?", "none", Json::array()));
    return path("dialogues.jsonl");
  }
};

TEST_F(Bench, AnUnknownWeightTypeIsNamedBeforeAnythingIsDone) {
  const Scratch scratch = Scratch::make([](const std::string&) {}).value();
  const auto refused =
      bench_facts({model(), scratch.journal()}, scratch,
                  {.file = path("missing.jsonl"), .unrelated = {}, .written = "Q9"}, base::Job());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUsage);
  EXPECT_THAT(refused.error().message, HasSubstr("'Q9'"));
}

// The tiny model has never heard of France.
TEST_F(Bench, ARequestAboutWhatTheModelDoesNotKnowIsAnError) {
  const Place place{model(), path("journal.db")};
  EXPECT_FALSE(bench_request(place, base::Job()));
  const auto session = open_session(place, journal::Mode::kReadWrite).value();
  EXPECT_TRUE(session->active()->empty());
}

TEST_F(Bench, TheWatchdogReadsAFileOfDialogues) {
  const Json result =
      bench_watchdog({model(), ""}, dialogues(), Hidden::kNone, base::Job()).value();
  EXPECT_EQ(result["items"], 2);
  EXPECT_EQ(result["requests"], 1);
  EXPECT_EQ(result["found"], 1);
  EXPECT_EQ(result["false_alarms"], 0);
  EXPECT_EQ(result["hidden"], 0);
  EXPECT_EQ(result["cross_validated"], false);
  EXPECT_FALSE(bench_watchdog({model(), ""}, path("missing.jsonl"), Hidden::kNone, base::Job()));
}

}  // namespace
}  // namespace expunge::service
