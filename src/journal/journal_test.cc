#include "journal/journal_test.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/sqlite.h"
#include "base/version.h"
#include "edit/version.h"

namespace expunge::journal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(JournalTest, AnEntryComesBackAsItWasWritten) {
  const Draft draft = make_draft();
  {
    Journal j = open().value();
    EXPECT_EQ(j.head().value(), 0);
    EXPECT_EQ(j.append(draft, 0).value(), 1);
  }
  const Journal j = open().value();
  const Entry e = j.entry(1).value();
  EXPECT_EQ(e.request, draft.request);
  EXPECT_EQ(e.plan, draft.plan);
  EXPECT_EQ(e.report, draft.report);
  EXPECT_EQ(e.method, "redirect");
  EXPECT_EQ(e.verdict, "passed");
  EXPECT_EQ(e.seed, draft.seed);
  EXPECT_EQ(e.base_hash, model().file_hash);
  EXPECT_EQ(e.weights_hash, draft.weights_hash);
  EXPECT_EQ(e.expunge, base::kVersion);
  EXPECT_EQ(e.libtorch, edit::libtorch_version());
  EXPECT_THAT(e.time, ::testing::MatchesRegex("20..-..-..T..:..:..\\....Z"));
  EXPECT_FALSE(e.sealed);
  const edit::Edit edit = j.edit(1).value();
  ASSERT_EQ(edit.deltas.size(), 1u);
  EXPECT_EQ(edit.deltas[0].tensor, draft.edit->deltas[0].tensor);
  const auto& got = std::get<edit::LowRank>(edit.deltas[0].change);
  const auto& put = std::get<edit::LowRank>(draft.edit->deltas[0].change);
  EXPECT_TRUE(at::equal(got.u, put.u) && at::equal(got.s, put.s));
  EXPECT_EQ(edit.provenance, draft.edit->provenance);
  EXPECT_TRUE(j.check().has_value());
}

TEST_F(JournalTest, UndoTakesAnyEntryBack) {
  Journal j = open().value();
  for (int64_t i = 0; i < 3; ++i) ASSERT_EQ(j.append(make_draft(i), i).value(), i + 1);
  ASSERT_EQ(j.append(make_undo(2), 3).value(), 4);
  EXPECT_THAT(ids(j.active().value()), ElementsAre(1, 3));
  ASSERT_EQ(j.append(make_undo(3), 4).value(), 5);
  ASSERT_EQ(j.append(make_undo(1), 5).value(), 6);
  EXPECT_THAT(j.active().value(), IsEmpty());
  EXPECT_THAT(j.active_edits().value(), IsEmpty());
  EXPECT_EQ(j.entries().value().size(), 6u);
  EXPECT_TRUE(j.check().has_value());
}

TEST_F(JournalTest, UndoRefusesWhatIsNotActive) {
  Journal j = open().value();
  ASSERT_TRUE(j.append(make_draft(), 0));
  ASSERT_TRUE(j.append(make_undo(1), 1));
  const auto twice = j.append(make_undo(1), 2);
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, Code::kConflict);
  EXPECT_THAT(twice.error().message, HasSubstr("undone by entry 2"));
  EXPECT_EQ(j.append(make_undo(2), 2).error().code, Code::kConflict);
  EXPECT_EQ(j.append(make_undo(9), 2).error().code, Code::kNotFound);
  EXPECT_EQ(j.append(make_undo(-1), 2).error().code, Code::kNotFound);
  EXPECT_EQ(j.head().value(), 2);
}

// What held is found by replaying each beginning of the record; later undos do not reach back.
TEST_F(JournalTest, WhatHeldAfterAnEntryIsToldLater) {
  Journal j = open().value();
  for (int64_t i = 0; i < 3; ++i) ASSERT_TRUE(j.append(make_draft(i), i));
  std::vector<std::vector<int64_t>> held;  // after entry 4, 5, …
  for (const Draft& next :
       {make_undo(2), make_draft(7), make_undo(1), make_draft(8), make_undo(5), make_undo(7)}) {
    ASSERT_TRUE(j.append(next, j.head().value()));
    held.push_back(ids(j.active().value()));
  }
  EXPECT_THAT(held, ElementsAre(ElementsAre(1, 3), ElementsAre(1, 3, 5), ElementsAre(3, 5),
                                ElementsAre(3, 5, 7), ElementsAre(3, 7), ElementsAre(3)));
  EXPECT_THAT(ids(j.active(2).value()), ElementsAre(1, 2));
  for (size_t i = 0; i < held.size(); ++i) {
    const auto id = static_cast<int64_t>(i) + 4;
    EXPECT_EQ(ids(j.active(id).value()), held[i]) << id;
    const auto edits = j.active_edits(id).value();
    ASSERT_EQ(edits.size(), held[i].size());
    for (size_t e = 0; e < edits.size(); ++e)
      EXPECT_EQ(edit::serialise(edits[e]).value(),
                edit::serialise(j.edit(held[i][e]).value()).value());
  }
  for (const int64_t none : {0, 10}) {
    const auto missing = j.active_edits(none);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, Code::kNotFound);
    EXPECT_THAT(missing.error().hint, HasSubstr("from 1 to 9"));
  }
}

TEST_F(JournalTest, AStaleHeadIsAConflict) {
  Journal a = open().value(), b = open().value();
  ASSERT_TRUE(a.append(make_draft(1), 0));
  const auto late = b.append(make_draft(2), 0);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kConflict);
  EXPECT_THAT(late.error().message, HasSubstr("last entry is 1, expected 0"));
  EXPECT_EQ(b.append(make_draft(2), b.head().value()).value(), 2);
  EXPECT_EQ(a.head().value(), 2);
}

TEST_F(JournalTest, AnotherModelIsRefused) {
  ASSERT_TRUE(open());
  ModelIdentity other = model();
  other.file_hash = std::string(64, 'd');
  other.path = "other.gguf";
  const auto refused = Journal::open(path(), other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_THAT(refused.error().message, HasSubstr("made for a.gguf"));
  EXPECT_FALSE(refused.error().hint.empty());
  other = model();
  other.weights_hash = std::string(64, 'e');
  EXPECT_EQ(Journal::open(path(), other).error().code, Code::kConflict);
  other.weights_hash.clear();  // not compared
  other.path = "moved.gguf";
  EXPECT_TRUE(Journal::open(path(), other));
}

TEST_F(JournalTest, FreeTextIsNoMethod) {
  Journal j = open().value();
  Draft d = make_draft();
  d.verdict = "the capital is Paris";
  EXPECT_EQ(j.append(d, 0).error().code, Code::kInvalid);
  EXPECT_EQ(j.head().value(), 0);
}

TEST_F(JournalTest, ReadingOnlyNeedsAJournalAndWritesNothing) {
  OpenOptions read_only;
  read_only.mode = Mode::kReadOnly;
  EXPECT_EQ(open(read_only).error().code, Code::kNotFound);
  EXPECT_FALSE(fs::exists(path()));
  ASSERT_TRUE(open().value().append(make_draft(), 0));
  Journal j = open(read_only).value();
  EXPECT_EQ(j.entries().value().size(), 1u);
  EXPECT_EQ(j.append(make_draft(), 1).error().code, Code::kIo);
  EXPECT_EQ(j.seal(1).error().code, Code::kIo);
}

TEST_F(JournalTest, WhatOnlyReadsFindsNoEntriesAndMakesNothing) {
  OpenOptions reading;
  reading.mode = Mode::kReadOrEmpty;
  {
    Journal j = Journal::open(path("sub/j.db"), model(), reading).value();
    EXPECT_EQ(j.head().value(), 0);
    EXPECT_THAT(j.entries().value(), IsEmpty());
    EXPECT_THAT(j.active_edits().value(), IsEmpty());
    EXPECT_TRUE(j.check().has_value());
    EXPECT_EQ(j.append(make_draft(), 0).error().code, Code::kIo);
    EXPECT_TRUE(fs::is_empty(folder_));
    // Like the beginning of the journal that is created later.
    EXPECT_EQ(j.chain().value(), open().value().chain().value());
  }
  ASSERT_TRUE(open().value().append(make_draft(), 0));
  EXPECT_EQ(open(reading).value().entries().value().size(), 1u);
}

TEST_F(JournalTest, UpdatingNeedsAJournal) {
  OpenOptions updating;
  updating.mode = Mode::kUpdate;
  EXPECT_EQ(open(updating).error().code, Code::kNotFound);
  EXPECT_TRUE(fs::is_empty(folder_));
  ASSERT_TRUE(open().value().append(make_draft(), 0));
  EXPECT_EQ(open(updating).value().append(make_undo(1), 1).value(), 2);
}

// A process that creates a journal and is killed on the way leaves one of these.
using MakePart = void (*)(sqlite3* db);
class CutShort : public JournalTest, public ::testing::WithParamInterface<MakePart> {};

TEST_P(CutShort, ReadsAsNoJournalAndIsMadeByTheNextThatWrites) {
  const pid_t child = ::fork();
  if (child == 0) {
    sqlite3* db = nullptr;
    std::ofstream(path()).flush();
    sqlite3_open(path().c_str(), &db);
    GetParam()(db);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  OpenOptions reading;
  reading.mode = Mode::kReadOnly;
  const auto missing = open(reading);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound) << missing.error().message;
  reading.mode = Mode::kReadOrEmpty;
  {
    const auto empty = open(reading);
    ASSERT_TRUE(empty) << empty.error().message;
    EXPECT_EQ(empty->head().value(), 0);
    EXPECT_TRUE(empty->check().has_value());
  }
  EXPECT_EQ(open().value().append(make_draft(), 0).value(), 1);
  EXPECT_EQ(open(reading).value().entries().value().size(), 1u);
}

void sql(sqlite3* db, const char* text) {
  if (sqlite3_exec(db, text, nullptr, nullptr, nullptr) != SQLITE_OK) ::_exit(2);
}
INSTANTIATE_TEST_SUITE_P(
    Journal, CutShort,
    ::testing::Values(
        [](sqlite3*) {}, [](sqlite3* db) { sql(db, "PRAGMA journal_mode = WAL"); },
        // Tables that were not committed, some of their pages in the log.
        [](sqlite3* db) {
          sql(db,
              "PRAGMA journal_mode = WAL; PRAGMA cache_size = 1; BEGIN IMMEDIATE;"
              "CREATE TABLE model (a); CREATE TABLE entries (a);"
              "INSERT INTO entries VALUES (randomblob(100000))");
        },
        // Pages in the file, and the rollback file that removes them again.
        [](sqlite3* db) {
          sql(db,
              "PRAGMA user_version = 1; PRAGMA cache_size = 1; BEGIN IMMEDIATE;"
              "CREATE TABLE model (a); INSERT INTO model VALUES (randomblob(100000))");
        }));

// Root may write anywhere, so these run as nobody.
class AsNobody {
 public:
  AsNobody() : was_(::geteuid()) {
    if (was_ == 0) is_ = ::seteuid(65534) == 0;
  }
  ~AsNobody() {
    if (is_ && ::seteuid(was_) != 0) std::abort();
  }

 private:
  uid_t was_;
  bool is_ = false;
};

TEST_F(JournalTest, AReadOnlyFolderIsAClearErrorAndCanBeRead) {
  ASSERT_TRUE(open().value().append(make_draft(), 0));
  fs::permissions(path(), fs::perms(0444));
  fs::permissions(folder_, fs::perms(0555));
  OpenOptions read_only;
  read_only.mode = Mode::kReadOnly;
  {
    AsNobody nobody;
    const auto refused = open();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kIo);
    EXPECT_THAT(refused.error().hint, HasSubstr("permissions"));
    EXPECT_EQ(Journal::open(path("sub/j.db"), model()).error().code, Code::kIo);
    const auto readable = open(read_only);
    ASSERT_TRUE(readable) << readable.error().message;
    EXPECT_EQ(readable->entries().value().size(), 1u);
  }
  fs::permissions(folder_, fs::perms(0755));
}

TEST_F(JournalTest, AFileThatIsNoJournalIsRefusedAndKept) {
  const std::string noise(8192, 'x');
  std::ofstream(path(), std::ios::binary) << noise;
  const auto refused = open();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kCorrupt);
  EXPECT_THAT(refused.error().hint, HasSubstr("backup"));
  EXPECT_EQ(fs::file_size(path()), noise.size());
}

TEST_F(JournalTest, DamagedPagesAreCorrupt) {
  {
    Journal j = open().value();
    for (int64_t i = 0; i < 20; ++i) ASSERT_TRUE(j.append(make_draft(i), i));
  }
  std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(fs::file_size(path()) / 2));
  file << std::string(16384, '\xA5');
  file.close();
  const auto j = open();
  const base::Status status = j ? j->check() : base::Status(tl::unexpected(j.error()));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kCorrupt) << status.error().message;
}

TEST_F(JournalTest, AFullDiskLosesNothing) {
  {
    Journal j = open().value();
    ASSERT_TRUE(j.append(make_draft(), 0));
  }
  const pid_t child = ::fork();
  if (child == 0) {
    // A limit on file sizes stands in for the full disk: writes beyond it fail.
    ::signal(SIGXFSZ, SIG_IGN);
    Journal j = open().value();
    const rlimit limit{96 << 10, 96 << 10};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    int64_t head = 1;
    for (int i = 0; i < 100; ++i) {
      const auto id = j.append(make_draft(), head);
      if (!id) ::_exit(id.error().code == Code::kIo && !id.error().hint.empty() && i > 0 ? 0 : 2);
      head = *id;
    }
    ::_exit(3);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  Journal j = open().value();
  EXPECT_TRUE(j.check().has_value());
  EXPECT_GE(j.head().value(), 2);
  EXPECT_TRUE(j.append(make_draft(), j.head().value()));
}

TEST_F(JournalTest, AMovedFileIsNoticed) {
  Journal j = open().value();
  fs::remove(path());
  const auto lost = j.append(make_draft(), 0);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Code::kIo);
  EXPECT_THAT(lost.error().message, HasSubstr("moved or deleted"));
}

TEST_F(JournalTest, TheFilesAreTheOwnersOnlyWhateverTheUmask) {
  for (const mode_t mask : {0022U, 0000U}) {
    const mode_t before = ::umask(mask);
    Journal journal = open().value();
    EXPECT_TRUE(journal.append(make_draft(), journal.head().value()));
    ::umask(before);
    for (const char* part : {"", "-wal", "-shm"})
      EXPECT_EQ(fs::status(path() + part).permissions(), fs::perms(0600)) << part << mask;
  }
  // One that was copied with other permissions.
  fs::permissions(path(), fs::perms(0644));
  ASSERT_TRUE(open());
  EXPECT_EQ(fs::status(path()).permissions(), fs::perms(0600));
}

TEST_F(JournalTest, JsonHoldsWhatThePageSays) {
  Journal j = open().value();
  ASSERT_TRUE(j.append(make_draft(), 0));
  ASSERT_TRUE(j.append(make_undo(1), 1));
  const Json edit = to_json(j.entry(1).value()), undo = to_json(j.entry(2).value());
  EXPECT_EQ(edit["kind"], "edit");
  EXPECT_EQ(edit["edit"]["sha256"].get<std::string>().size(), 64u);
  EXPECT_EQ(edit["seed"], 0xFFFFFFFFFFFFFFFFULL);
  EXPECT_FALSE(edit.contains("undoes"));
  EXPECT_EQ(undo["undoes"], 1);
  EXPECT_EQ(undo["edit"]["bytes"], 0);
}

}  // namespace
}  // namespace expunge::journal
