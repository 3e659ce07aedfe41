// The gates of active entries asked again: requests, trainings with their sets, and what is left
// out.
#include "service/verify.h"

#include "service/planted_test.h"
#include "service/training.h"

namespace expunge::service {
namespace {

using base::Code;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class VerifyUseCase : public PlantedTest {
 protected:
  // Questions about subjects [first, first + n).
  std::string write_set(const std::string& name, int32_t relation, int32_t first, int32_t n) const {
    std::string text;
    for (int32_t s = first; s < first + n; ++s)
      text +=
          base::dump_json({{"question", question(relation, s)}, {"answer", answer(relation, s)}}) +
          "\n";
    tests::write_bytes(path(name), text);
    return path(name);
  }
  // As a training on both sets records it; "" = it kept none.
  static int64_t train(Session& session, edit::Edit edit, const std::string& forget,
                       const std::string& retain) {
    const auto items = [](const std::string& file) {
      return file.empty() ? std::vector<text::QaItem>() : text::read_qa(file, 0).value();
    };
    const auto f = items(forget), r = items(retain);
    const model::ChatModel after =
        session.present().with(edit::apply(session.present().model, edit).value());
    const base::Json sets = {{"forget", to_json(SetSummary{f.size(), hash_of(f)})},
                             {"retain", to_json(SetSummary{r.size(), hash_of(r)})}};
    return add_trained(session, std::move(edit), sets,
                       to_json(probabilities(after, "", f, r, {}).value()));
  }
  static base::Result<VerifyResult> run(Session& session, const VerifyRequest& request = {}) {
    return verify(session, request, base::Job());
  }
  static std::vector<int64_t> entries(const VerifyResult& result) {
    std::vector<int64_t> ids;
    for (const repair::Verified& v : result.entries) ids.push_back(v.entry);
    return ids;
  }
};

TEST_F(VerifyUseCase, SealedAndTrainedEntriesAreCountedAndTheOthersAsked) {
  const auto session = open();
  EXPECT_TRUE(run(*session)->passed());
  EXPECT_EQ(run(*session, {.entry = 3}).error().code, Code::kNotFound);
  forget(*session, 0, 1);
  seal(*session, forget(*session, 0, 2).entry);
  const std::string set = write_set("forget.jsonl", 2, 0, 3);
  train(*session, grown(*session, 0.01), set, "");
  const VerifyResult result = run(*session).value();
  EXPECT_EQ(result.sealed, 1);
  EXPECT_EQ(result.trained, 1);
  EXPECT_THAT(entries(result), ElementsAre(1));
  EXPECT_EQ(result.entries[0].now.find("exact")->value, 1);

  EXPECT_THAT(entries(run(*session, {.entry = 1}).value()), ElementsAre(1));
  EXPECT_EQ(run(*session, {.entry = 2}).error().code, Code::kUnsupported);
  EXPECT_EQ(run(*session, {.entry = 3}).error().code, Code::kUsage);

  // With its set the training is asked too, in the order of the journal.
  const VerifyResult both = run(*session, {.forget = set}).value();
  EXPECT_EQ(both.sealed, 1);
  EXPECT_EQ(both.trained, 0);
  EXPECT_THAT(entries(both), ElementsAre(1, 3));
  EXPECT_THAT(entries(run(*session, {.entry = 3, .forget = set}).value()), ElementsAre(3));
  // What was undone is neither.
  ASSERT_TRUE(session->undo(3));
  EXPECT_EQ(run(*session)->trained, 0);
}

TEST_F(VerifyUseCase, ATrainingIsComparedWithWhatItLeft) {
  const auto session = open();
  const std::string forget = write_set("forget.jsonl", 0, 0, 4),
                    retain = write_set("retain.jsonl", 1, 4, 6);
  const int64_t entry = train(*session, grown(*session, -1), forget, retain);
  const VerifyResult at_once =
      run(*session, {.entry = entry, .forget = forget, .retain = retain}).value();
  EXPECT_TRUE(at_once.passed());
  const auto& gates = at_once.entries.at(0).now.gates;
  ASSERT_EQ(gates.size(), 2);
  EXPECT_EQ(gates[0].name, "forget_prob");
  EXPECT_EQ(gates[1].name, "retain_prob");
  const double left = gates[0].value;
  EXPECT_NEAR(gates[0].bound, 1.1 * left + 0.01, 1e-9);
  EXPECT_LT(left, 0.1);

  // Without the other set no gate fails, and nothing says that it was kept.
  const verify::Report half = run(*session, {.forget = forget}).value().entries.at(0).now;
  EXPECT_EQ(half.n_failed(), 0);
  EXPECT_THAT(half.find("retain_prob")->absent, HasSubstr("not given"));
  EXPECT_THAT(half.undecided(), HasSubstr("kept"));

  // An edit that brings the answers back.
  add_trained(
      *session, grown(*session, 1),
      {{"forget", {{"items", 1}, {"sha256", "other"}}}, {"retain", {{"items", 0}, {"sha256", ""}}}},
      {{"forget_prob", 1}});
  const VerifyResult later = run(*session, {.forget = forget, .retain = retain}).value();
  EXPECT_THAT(entries(later), ElementsAre(entry));
  EXPECT_EQ(later.trained, 1);  // of the other set
  EXPECT_FALSE(later.passed());
  EXPECT_GT(later.entries[0].now.find("forget_prob")->value, left + 0.2);
}

TEST_F(VerifyUseCase, SetsThatItWasNotTrainedOnAreRefused) {
  const auto session = open();
  const std::string forget = write_set("forget.jsonl", 0, 0, 4),
                    retain = write_set("retain.jsonl", 1, 4, 6),
                    other = write_set("other.jsonl", 2, 0, 6);
  train(*session, grown(*session, 0.01), forget, retain);
  for (const int64_t entry : {0, 1}) {
    const auto unknown = run(*session, {.entry = entry, .forget = other});
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, Code::kNotFound);
    EXPECT_THAT(unknown.error().message, HasSubstr("trained on " + other));
  }
  const auto conflict = run(*session, {.forget = forget, .retain = other});
  ASSERT_FALSE(conflict);
  EXPECT_EQ(conflict.error().code, Code::kConflict);
  EXPECT_THAT(conflict.error().message, HasSubstr("entry 1 kept another set"));
  EXPECT_FALSE(run(*session, {.forget = path("missing.jsonl")}));
  // A training on the first items of a file is known by them.
  const std::string longer = write_set("longer.jsonl", 0, 0, 9);
  EXPECT_THAT(entries(run(*session, {.forget = longer}).value()), ElementsAre(1));
}

TEST_F(VerifyUseCase, AWrittenModelIsAskedInThePlaceOfThePresentOne) {
  const auto session = open();
  forget(*session, 0, 1);
  const auto asked = [&](const model::ChatModel& written) {
    return verify_written(*session, written, base::Job()).value();
  };
  EXPECT_EQ(asked(session->present()).entries.at(0).now.find("exact")->value, 1);
  const VerifyResult base = asked(session->snapshot()->base);
  EXPECT_EQ(base.entries.at(0).now.find("exact")->value, 0);
  EXPECT_FALSE(base.passed());
  seal(*session, 1);
  const VerifyResult sealed = asked(session->snapshot()->base);
  EXPECT_EQ(sealed.sealed, 1);
  EXPECT_THAT(sealed.entries, IsEmpty());
}

TEST_F(VerifyUseCase, CanBeCancelled) {
  const auto session = open();
  forget(*session, 0, 1);
  const base::Job job;
  job.cancel();
  EXPECT_EQ(verify(*session, {}, job).error().code, Code::kCancelled);
}

}  // namespace
}  // namespace expunge::service
