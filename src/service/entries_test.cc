#include "service/entries.h"

#include "service/json.h"
#include "service/service_test.h"

namespace expunge::service {
namespace {

using base::Code;
using base::Json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Entries : public ServiceTest {};

TEST_F(Entries, WithoutAJournalThereIsNothing) {
  const Place own{model(), ""};
  ::setenv("EXPUNGE_HOME", (folder_ / "home").c_str(), 1);
  const Log log = read_log(own).value();
  EXPECT_EQ(log.journal, "");
  EXPECT_THAT(log.entries, IsEmpty());
  EXPECT_EQ(to_json(log),
            (Json{{"journal", nullptr}, {"active", Json::array()}, {"entries", Json::array()}}));
  EXPECT_EQ(read_entry(own, 1).error().code, Code::kNotFound);
  EXPECT_EQ(seal_entry(own, 1).error().code, Code::kNotFound);
  // A named journal must exist: the name may be mistyped.
  EXPECT_EQ(read_log(place()).error().code, Code::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(journal()));
}

TEST_F(Entries, TheLogSaysWhatBecameOfEach) {
  {
    const auto session = open();
    add_entry(*session, "Who wrote Emma?", "Jane Austen");
    add_entry(*session, "Who wrote Ulysses?", "James Joyce");
    ASSERT_TRUE(session->undo(1));
  }
  const Log log = read_log(place()).value();
  EXPECT_EQ(log.journal, journal());
  EXPECT_THAT(log.active, ElementsAre(2));
  ASSERT_EQ(log.entries.size(), 3);
  EXPECT_EQ(state_of(log.entries[0]), "undone by 3");
  EXPECT_EQ(state_of(log.entries[1]), "active");
  EXPECT_EQ(state_of(log.entries[2]), "undo");
  EXPECT_EQ(title(log.entries[1].entry), "Who wrote Ulysses? → James Joyce");
  EXPECT_EQ(title(log.entries[2].entry), "undoes 1");
  const Json json = to_json(log);
  EXPECT_EQ(json["active"], Json({2}));
  EXPECT_EQ(json["entries"][0]["undone_by"], 3);
  EXPECT_FALSE(json["entries"][1].contains("undone_by"));
  EXPECT_EQ(json["entries"][1]["active"], true);
}

TEST_F(Entries, EvidenceIsReadBackAndSealingTakesTheWords) {
  add_entry(*open(), "Who wrote Emma?", "Jane Austen");
  const EntryEvidence evidence = read_entry(place(), 1).value();
  EXPECT_TRUE(evidence.entry.active);
  EXPECT_THAT(evidence.before.gates, IsEmpty());
  ASSERT_EQ(evidence.after.gates.size(), 1);
  EXPECT_EQ(evidence.after.gates[0].name, "exact");
  EXPECT_TRUE(evidence.after.gates[0].passed());
  EXPECT_EQ(read_entry(place(), 2).error().code, Code::kNotFound);

  ASSERT_TRUE(seal_entry(place(), 1));
  const EntryEvidence sealed = read_entry(place(), 1).value();
  EXPECT_EQ(title(sealed.entry.entry), "[sealed]");
  EXPECT_EQ(to_json(sealed.entry)["plan"], nullptr);
  EXPECT_EQ(sealed.after.gates[0].value, 1);  // figures stay
}

TEST(Training, ItsReportComparesWithWhatItLeft) {
  journal::Entry e;
  e.verdict = "trained";
  e.method = "npo";
  e.request = {{"examples", {{"forget", {{"items", 40}}}}}};
  e.report = {{"after", {{"forget_prob", 0.1}, {"retain_prob", 0.9}}}};
  EXPECT_TRUE(is_trained(e));
  EXPECT_EQ(title(e), "npo on 40 examples");
  const verify::Report good = trained_report(e, {{"forget_prob", 0.11}, {"retain_prob", 0.81}});
  EXPECT_TRUE(good.passed());
  EXPECT_NEAR(good.gates[0].bound, 0.12, 1e-12);
  EXPECT_NEAR(good.gates[1].bound, 0.80, 1e-12);
  EXPECT_EQ(trained_report(e, {{"forget_prob", 0.2}, {"retain_prob", 0.5}}).n_failed(), 2);
  // A set that was not given is not asked, and this is reported.
  const verify::Report half = trained_report(e, {{"forget_prob", 0.1}});
  EXPECT_THAT(half.gates[1].absent, HasSubstr("not given"));
}

TEST(Title, IsOneLineWithoutControlCharacters) {
  journal::Entry e;
  e.plan = {
      {"targets", {{{"prompt", "What\nis\x1b[31m it?"}, {"response", "red"}}, {{"prompt", "b"}}}}};
  EXPECT_EQ(title(e), "What is[31m it? → red (and 1 more)");
  e.sealed = true;
  EXPECT_EQ(title(e), "[sealed]");
}

}  // namespace
}  // namespace expunge::service
