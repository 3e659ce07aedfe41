// Edits of any size, and journals from before there were parts.
#include "journal/factors.h"

#include <gmock/gmock.h>

#include "journal/journal_test.h"

namespace expunge::journal {
namespace {

const OpenOptions kReading{Mode::kReadOnly, {}, {}, 5000};

class FactorsTest : public JournalTest {
 protected:
  base::Status sql(const char* change) const {
    sqlite3* db = nullptr;
    CHECK(sqlite3_open(path().c_str(), &db) == SQLITE_OK);
    auto done = base::run_sql(db, change, "change the journal");
    sqlite3_close(db);
    return done;
  }
  static Draft large() {
    Draft d = make_draft();
    const int64_t rows = static_cast<int64_t>(kPartBytes / sizeof(float) / 1000) * 2;
    d.edit->deltas = {{"model.embed_tokens.weight", edit::Dense{numbers({rows, 1000}, 3)}},
                      {"model.norm.weight", edit::Dense{numbers({1000}, 4)}}};
    return d;
  }
};

TEST_F(FactorsTest, AnEditOfSeveralPartsComesBack) {
  const Draft draft = large();
  {
    Journal j = open().value();
    ASSERT_TRUE(j.append(make_draft(), 0));
    ASSERT_TRUE(j.append(draft, 1));
    ASSERT_TRUE(j.append(make_draft(2), 2));
    ASSERT_TRUE(j.check());
  }
  const Journal j = open(kReading).value();
  const auto edits = j.active_edits().value();
  ASSERT_EQ(edits.size(), 3U);
  EXPECT_EQ(edit::serialise(edits[1]).value(), edit::serialise(*draft.edit).value());
  EXPECT_EQ(edit::serialise(edits[2]).value(), edit::serialise(*make_draft(2).edit).value());
}

TEST_F(FactorsTest, ChangedPartsAreFound) {
  ASSERT_TRUE(open().value().append(large(), 0));
  EXPECT_FALSE(sql("UPDATE parts SET bytes = x'00' WHERE part = 2"));
  EXPECT_FALSE(sql("DELETE FROM parts"));
  ASSERT_TRUE(open().value().check());
  ASSERT_TRUE(sql("DROP TRIGGER parts_stay; DELETE FROM parts WHERE part = 2"));
  EXPECT_EQ(open().value().check().error().code, Code::kCorrupt);
  EXPECT_EQ(open().value().edit(1).error().code, Code::kCorrupt);
}

TEST_F(FactorsTest, AJournalWithoutPartsIsReadAndGetsThem) {
  ASSERT_TRUE(open().value().append(make_draft(), 0));
  ASSERT_TRUE(sql("DROP TABLE parts; PRAGMA user_version = 1"));
  EXPECT_EQ(open(kReading).value().active_edits().value().size(), 1U);
  {
    Journal j = open().value();
    ASSERT_TRUE(j.append(large(), 1));
    ASSERT_TRUE(j.check());
  }
  EXPECT_EQ(open().value().active_edits().value().size(), 2U);
}

}  // namespace
}  // namespace expunge::journal
