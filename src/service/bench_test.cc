// The benchmarks as the program starts them: what they refuse, and the watchdog on a file.
#include "service/bench.h"

#include "service/planted_test.h"

namespace expunge::service {
namespace {

using base::Code;
using ::testing::HasSubstr;

class Bench : public PlantedTest {};

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

TEST_F(Bench, AMissingFileOfDialoguesIsAnError) {
  EXPECT_FALSE(bench_watchdog({model(), ""}, path("missing.jsonl"), base::Job()));
}

}  // namespace
}  // namespace expunge::service
