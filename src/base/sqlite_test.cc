#include "base/sqlite.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "golden.h"

namespace expunge::base {
namespace {

using ::testing::HasSubstr;

constexpr int kWriting = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;

TEST(Sqlite, AFileWithAnyNameIsOpenedAndKeptSecret) {
  const tests::TempDir folder;
  const std::string path = folder / "sub/a%41?b#c.db";
  ASSERT_TRUE(make_secret_file(path));
  const Database db = open_database(path, SQLITE_OPEN_READWRITE).value();
  ASSERT_TRUE(use_wal(db.get(), 100));
  ASSERT_TRUE(run_sql(db.get(), "CREATE TABLE t (a); INSERT INTO t VALUES (7)", "write"));
  EXPECT_EQ(query_integer(db.get(), "SELECT a FROM t").value(), 7);
  EXPECT_EQ(query_integer(db.get(), "SELECT a FROM t WHERE a < 0").value(), 0);
  for (const char* part : {"", "-wal", "-shm"}) {
    struct stat info {};
    ASSERT_EQ(::stat((path + part).c_str(), &info), 0) << part;
    EXPECT_EQ(info.st_mode & 0777, 0600U) << part;
  }
  ::chmod(path.c_str(), 0644);
  keep_secret(path);
  struct stat info {};
  ::stat(path.c_str(), &info);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST(Sqlite, WhatIsNotCommittedIsUndone) {
  const Database db = open_database(":memory:", kWriting).value();
  ASSERT_TRUE(run_sql(db.get(), "CREATE TABLE t (a)", "write"));
  const auto insert = [&](std::string_view a) {
    return Statement::make(db.get(), "INSERT INTO t VALUES (?1)", a).value().step().has_value();
  };
  {
    Transaction dropped = Transaction::begin(db.get()).value();
    ASSERT_TRUE(insert("a"));
  }
  Transaction kept = Transaction::begin(db.get()).value();
  ASSERT_TRUE(insert("b"));
  ASSERT_TRUE(kept.commit());
  Statement s = Statement::make(db.get(), "SELECT a FROM t").value();
  ASSERT_TRUE(s.step().value());
  EXPECT_EQ(s.text(0), "b");
  EXPECT_FALSE(s.step().value());
}

TEST(Sqlite, ErrorsSayWhichFileAndWhatToDo) {
  const tests::TempDir folder;
  EXPECT_EQ(open_database(folder / "no/x.db", kWriting).error().code, Code::kIo);
  const std::string path = folder / "noise.db";
  tests::write_bytes(path, std::string(8192, 'x'));
  const Database db = open_database(path, SQLITE_OPEN_READWRITE).value();
  const auto noise = query_integer(db.get(), "PRAGMA user_version");
  ASSERT_FALSE(noise);
  EXPECT_EQ(noise.error().code, Code::kCorrupt);
  EXPECT_THAT(noise.error().message, HasSubstr(path));
  EXPECT_THAT(noise.error().hint, HasSubstr("backup"));
}

TEST(Sqlite, AnotherWriterIsAConflict) {
  const tests::TempDir folder;
  const Database one = open_database(folder / "x.db", kWriting).value();
  const Database two = open_database(folder / "x.db", kWriting).value();
  const Transaction held = Transaction::begin(one.get()).value();
  const auto refused = Transaction::begin(two.get());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_FALSE(refused.error().hint.empty());
}

}  // namespace
}  // namespace expunge::base
