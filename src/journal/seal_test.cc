// Sealing takes the words out of the file; tampering is found.
#include <gmock/gmock.h>

#include "journal/journal_test.h"
#include "journal/row.h"

namespace expunge::journal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const char* const kSecrets[] = {"Paris-request", "Paris-plan", "France-plan", "France-report",
                                "France-provenance"};

void expect_sealed(const Journal& j, int64_t id) {
  const Entry e = j.entry(id).value();
  EXPECT_TRUE(e.sealed);
  EXPECT_TRUE(e.request.is_null());
  EXPECT_TRUE(e.plan.is_null());
  const Json& gate = e.report["gates"][0];
  EXPECT_EQ(gate["name"], "exact");
  EXPECT_EQ(gate["value"], 1.0);
  EXPECT_EQ(gate["items"][0]["good"], true);
  EXPECT_EQ(e.request_hash, salted(e.salt, base::dump_json(make_draft().request)));
  const edit::Edit edit = j.edit(id).value();
  EXPECT_EQ(edit.provenance, (Json{{"residual", 0.25}}));
  EXPECT_TRUE(at::equal(edit::dense(edit.deltas[0]), edit::dense(make_draft().edit->deltas[0])));
  EXPECT_TRUE(j.check().has_value());
}

TEST_F(JournalTest, UnsealedTextsAreInTheFile) {  // or the tests below would prove nothing
  Journal j = open().value();
  ASSERT_TRUE(j.append(make_draft(), 0));
  for (const char* secret : kSecrets) EXPECT_THAT(all_bytes(), HasSubstr(secret));
}

TEST_F(JournalTest, SealedAtAppendNothingIsEverWritten) {
  Journal j = open().value();
  ASSERT_TRUE(j.append(make_draft(), 0, Seal::kYes));
  for (const char* secret : kSecrets) EXPECT_THAT(all_bytes(), Not(HasSubstr(secret)));
  expect_sealed(j, 1);
}

TEST_F(JournalTest, SealingLaterTakesTheTextOutOfFileAndLog) {
  Journal j = open().value();
  for (int64_t i = 0; i < 5; ++i) ASSERT_TRUE(j.append(make_draft(1), i));
  for (int64_t id = 1; id <= 5; ++id) ASSERT_TRUE(j.seal(id));
  const std::string bytes = all_bytes();
  for (const char* secret : kSecrets) EXPECT_THAT(bytes, Not(HasSubstr(secret)));
  for (int64_t id = 1; id <= 5; ++id) expect_sealed(j, id);
  EXPECT_TRUE(j.seal(3));  // again: no harm
  EXPECT_EQ(j.append(make_draft(), 5).value(), 6);
  EXPECT_TRUE(j.check().has_value());
}

TEST_F(JournalTest, OtherEntriesKeepTheirWords) {
  Journal j = open().value();
  ASSERT_TRUE(j.append(make_draft(), 0));
  Draft other = make_draft(2);
  other.request = {{"text", "Madrid-request"}};
  ASSERT_TRUE(j.append(other, 1));
  ASSERT_TRUE(j.seal(1));
  EXPECT_THAT(all_bytes(), Not(HasSubstr("Paris-request")));
  EXPECT_EQ(j.entry(2).value().request, other.request);
  EXPECT_EQ(j.seal(3).error().code, Code::kNotFound);
}

TEST_F(JournalTest, AReaderDelaysTheScrubAndTheNextOpenFinishesIt) {
  OpenOptions hasty;
  hasty.busy_timeout_ms = 20;
  {
    Journal j = open(hasty).value();
    ASSERT_TRUE(j.append(make_draft(), 0));
    sqlite3* reader = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &reader), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(reader, "BEGIN; SELECT * FROM entries", nullptr, nullptr, nullptr),
              SQLITE_OK);
    const auto sealed = j.seal(1);
    ASSERT_FALSE(sealed);
    EXPECT_EQ(sealed.error().code, Code::kConflict);
    EXPECT_TRUE(j.entry(1).value().sealed);
    EXPECT_THAT(all_bytes(), HasSubstr("Paris-request"));  // as the error says
    sqlite3_close(reader);
  }
  const Journal j = open(hasty).value();
  for (const char* secret : kSecrets) EXPECT_THAT(all_bytes(), Not(HasSubstr(secret)));
  expect_sealed(j, 1);
}

TEST(FiguresTest, OnlyNumbersAndTheirNamesStay) {
  const Json report = {{"value", 0.5},
                       {"passed", true},
                       {"name", "same_subject"},
                       {"sense", "Paris is the capital"},
                       {"reply", "paris"},
                       {"what is the capital?", 1},
                       {"list", {1, "Paris", Json{{"reply", "Paris"}, {"n", 3}}}},
                       {"none", nullptr}};
  EXPECT_EQ(figures_of(report), (Json{{"value", 0.5},
                                      {"passed", true},
                                      {"name", "same_subject"},
                                      {"list", {1, Json{{"n", 3}}}},
                                      {"none", nullptr}}));
}

class TamperTest : public JournalTest {
 protected:
  void SetUp() override {
    JournalTest::SetUp();
    Journal j = open().value();
    ASSERT_TRUE(j.append(make_draft(1), 0));
    ASSERT_TRUE(j.append(make_draft(2), 1, Seal::kYes));
    ASSERT_TRUE(j.append(make_undo(1), 2));
  }
  int sql(const std::string& text) const {
    sqlite3* db = nullptr;
    sqlite3_open(path().c_str(), &db);
    const int code = sqlite3_exec(db, text.c_str(), nullptr, nullptr, nullptr);
    sqlite3_close(db);
    return code;
  }
  static std::string without_triggers(const std::string& change) {
    return "DROP TRIGGER entries_stay; DROP TRIGGER entries_fixed; DROP TRIGGER "
           "entries_sealed_only; DROP TRIGGER entries_in_order; " +
           change;
  }
};

TEST_F(TamperTest, TheDatabaseItselfRefusesChanges) {
  for (const char* change :
       {"DELETE FROM entries WHERE id = 3", "UPDATE entries SET verdict = 'failed' WHERE id = 1",
        "UPDATE entries SET request = 'x' WHERE id = 1", "UPDATE entries SET sealed = 0",
        "UPDATE entries SET sealed = 1 WHERE id = 1", "UPDATE entries SET factors = x'00'",
        "UPDATE model SET file_hash = 'x'", "DELETE FROM model"})
    EXPECT_EQ(sql(change), SQLITE_CONSTRAINT) << change;
  EXPECT_TRUE(open().value().check().has_value());
}

TEST_F(TamperTest, CheckFindsWhatWasChangedBehindItsBack) {
  for (const auto& [change, entry] :
       {std::pair("UPDATE entries SET verdict = 'failed' WHERE id = 1", "entry 1"),
        std::pair("UPDATE entries SET request = '{}' WHERE id = 1", "entry 1: the request"),
        std::pair("UPDATE entries SET report = '{}' WHERE id = 1", "entry 1: the report"),
        std::pair("UPDATE entries SET report_figures = '{}' WHERE id = 2", "entry 2"),
        std::pair("UPDATE entries SET factors = x'00' WHERE id = 2", "entry 2: the factors"),
        std::pair("UPDATE entries SET undoes = 2 WHERE id = 3", "entry 3"),
        std::pair("UPDATE entries SET time = '2020' WHERE id = 2", "entry 2"),
        std::pair("DELETE FROM entries WHERE id = 2", "entry 2 is missing")}) {
    ASSERT_EQ(sql(without_triggers(change)), SQLITE_OK) << change;
    const auto checked = open().value().check();
    ASSERT_FALSE(checked) << change;
    EXPECT_EQ(checked.error().code, Code::kCorrupt);
    EXPECT_THAT(checked.error().message, HasSubstr(entry));
    TearDown();
    SetUp();
  }
}

TEST_F(TamperTest, ChangedFactorsAreNotApplied) {
  ASSERT_EQ(sql(without_triggers("UPDATE entries SET factors = x'00' WHERE id = 2")), SQLITE_OK);
  EXPECT_EQ(open().value().active_edits().error().code, Code::kCorrupt);
}

// Of a kind that this program does not write, and with entries in whose place it would stand.
TEST_F(TamperTest, ARowThatIsNeitherEditNorUndoIsNamed) {
  for (const auto& [change, message] :
       {std::pair("UPDATE entries SET kind = 'consolidate' WHERE id = 2",
                  "entry 2 is of kind 'consolidate', expected edit or undo"),
        std::pair("UPDATE entries SET kind = 'verify' WHERE id = 3",
                  "entry 3 is of kind 'verify', expected edit or undo"),
        std::pair("UPDATE entries SET replaces = '[1]' WHERE id = 2",
                  "entry 2 replaces the entries [1], expected none")}) {
    ASSERT_EQ(sql(without_triggers(change)), SQLITE_OK) << change;
    const auto active = open().value().active_edits();
    ASSERT_FALSE(active) << change;
    EXPECT_EQ(active.error().code, Code::kCorrupt);
    EXPECT_EQ(active.error().message, message);
    TearDown();
    SetUp();
  }
}

}  // namespace
}  // namespace expunge::journal
