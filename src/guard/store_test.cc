#include "guard/store.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <thread>

#include "base/sqlite.h"
#include "golden.h"

namespace expunge::guard {
namespace {

using base::Code;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class StoreTest : public testing::Test {
 protected:
  std::string path() const { return folder_ / "home/guard.db"; }
  Store open() const { return Store::open(path()).value(); }
  base::Database database() const {
    return base::open_database(path(), SQLITE_OPEN_READWRITE).value();
  }
  static Target named(const std::string& name) { return {.name = name}; }
  static std::vector<std::string> names(const Store& store) {
    std::vector<std::string> names;
    const auto list = store.list().value();
    for (const Target& target : list) names.push_back(target.name);
    return names;
  }
  tests::TempDir folder_;
};

TEST_F(StoreTest, ATargetComesBackAsItWasAdded) {
  const Target target{.name = "Basil Mahfouz Al-Kuwaiti",
                      .aliases = {"Basil", "باسل"},
                      .mode = Mode::kRefuse,
                      .scope = "novelist, Kuwait",
                      .expires = "2027-01-31"};
  EXPECT_EQ(open().add(target).value(), 1);
  Target stored = target;
  stored.id = 1;
  const auto list = open().list().value();
  ASSERT_EQ(list.size(), 1);
  EXPECT_EQ(to_json(list[0]), to_json(stored));
}

TEST_F(StoreTest, ANameThatIsThereIsReplacedAndKeepsItsId) {
  Store store = open();
  ASSERT_EQ(store.add(named("Basil Mahfouz")).value(), 1);
  ASSERT_EQ(store.add(named("Nikolai Abilov")).value(), 2);
  Target changed = named("BASIL mahfouz");
  changed.mode = Mode::kIdk;
  EXPECT_EQ(store.add(changed).value(), 1);
  EXPECT_THAT(names(store), ElementsAre("BASIL mahfouz", "Nikolai Abilov"));
  EXPECT_EQ(store.list().value()[0].mode, Mode::kIdk);
  EXPECT_EQ(store.add(named("Aysha")).value(), 3);
}

TEST_F(StoreTest, WhatIsRemovedIsGoneAndItsIdStaysFree) {
  Store store = open();
  ASSERT_TRUE(store.import({named("Anna"), named("Berta"), named("Clara")}));
  EXPECT_EQ(store.remove(3).value().name, "Clara");
  const auto again = store.remove(3);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kNotFound);
  EXPECT_FALSE(again.error().hint.empty());
  EXPECT_EQ(store.add(named("Doris")).value(), 4);
  EXPECT_THAT(names(store), ElementsAre("Anna", "Berta", "Doris"));
}

TEST_F(StoreTest, EveryChangeOfAnyProcessChangesTheVersion) {
  Store server = open(), command = open();
  std::set<int64_t> versions = {server.version().value()};
  EXPECT_EQ(server.version().value(), command.version().value());
  const auto is_new = [&] { return versions.insert(server.version().value()).second; };
  EXPECT_FALSE(is_new());
  ASSERT_TRUE(command.add(named("Anna")));
  EXPECT_TRUE(is_new());
  ASSERT_TRUE(server.add(named("Anna")));
  EXPECT_TRUE(is_new());
  ASSERT_TRUE(command.import({named("Berta"), named("Clara")}));
  EXPECT_TRUE(is_new());
  ASSERT_TRUE(command.remove(1));
  EXPECT_TRUE(is_new());
  EXPECT_FALSE(command.remove(1));
  EXPECT_FALSE(is_new());
  EXPECT_THAT(names(server), ElementsAre("Berta", "Clara"));
}

TEST_F(StoreTest, OnlyItsOwnerReadsIt) {
  const mode_t before = ::umask(0);
  Store store = open();
  ASSERT_TRUE(store.add(named("Anna")));
  ::umask(before);
  for (const char* part : {"", "-wal", "-shm"}) {
    struct stat info {};
    ASSERT_EQ(::stat((path() + part).c_str(), &info), 0) << part;
    EXPECT_EQ(info.st_mode & 0777, 0600U) << part;
  }
  ::chmod(path().c_str(), 0644);
  open();
  struct stat info {};
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(StoreTest, AFileThatIsNoneIsRefusedAndKept) {
  tests::write_bytes(path(), std::string(8192, 'x'));
  const auto noise = Store::open(path());
  ASSERT_FALSE(noise);
  EXPECT_EQ(noise.error().code, Code::kCorrupt);
  EXPECT_EQ(std::filesystem::file_size(path()), 8192);
  std::filesystem::remove(path());
  tests::write_bytes(path(), "");  // of a process that was killed while it made the file
  EXPECT_TRUE(Store::open(path()));
  std::filesystem::remove(path());
  ASSERT_TRUE(base::make_secret_file(path()));
  ASSERT_TRUE(base::run_sql(database().get(), "CREATE TABLE entries (id)", "make another"));
  const auto another = Store::open(path());
  ASSERT_FALSE(another);
  EXPECT_EQ(another.error().code, Code::kCorrupt);
  EXPECT_THAT(another.error().message, HasSubstr("not a list of targets"));
  EXPECT_FALSE(Store::open(folder_.path()));
}

TEST_F(StoreTest, ANewerVersionIsRefusedWithAHint) {
  ASSERT_TRUE(open().add(named("Anna")));
  ASSERT_TRUE(base::run_sql(database().get(), "PRAGMA user_version = 2", "change"));
  const auto newer = Store::open(path());
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, Code::kUnsupported);
  EXPECT_THAT(newer.error().hint, HasSubstr("newer version"));
}

TEST_F(StoreTest, ARowThatWasChangedByHandIsAnErrorAndCanBeRemoved) {
  for (const char* change : {"UPDATE targets SET aliases = '{'", "UPDATE targets SET mode = 'off'",
                             "UPDATE targets SET aliases = '[\"\"]'"}) {
    Store store = open();
    const int64_t id = store.add(named("Anna")).value();
    ASSERT_TRUE(base::run_sql(database().get(), change, "change"));
    const auto list = store.list();
    ASSERT_FALSE(list) << change;
    EXPECT_EQ(list.error().code, Code::kCorrupt);
    EXPECT_EQ(store.remove(id).value().name, "Anna");
    EXPECT_TRUE(store.list());
  }
}

TEST_F(StoreTest, AFileThatWasMovedIsAnError) {
  Store store = open();
  std::filesystem::rename(path(), path() + ".old");
  EXPECT_EQ(store.version().error().code, Code::kIo);
  open();  // a new one
  EXPECT_EQ(store.list().error().code, Code::kIo);
  EXPECT_EQ(store.add(named("Anna")).error().code, Code::kIo);
}

TEST_F(StoreTest, ThreadsAddAtOnce) {
  constexpr int kThreads = 4, kEach = 15;
  Store shared = open();
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      Store own = open();
      Store& store = t % 2 == 0 ? shared : own;
      for (int i = 0; i < kEach; ++i) {
        EXPECT_TRUE(store.add(named(fmt::format("Name {}-{}", t, i))));
        EXPECT_TRUE(store.list());
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shared.list().value().size(), kThreads * kEach);
  EXPECT_EQ(shared.version().value(), 1 + kThreads * kEach);
}

TEST_F(StoreTest, AnImportIsWholeAfterAKill) {
  std::vector<Target> targets;
  for (int i = 0; i < 500; ++i) targets.push_back(named(fmt::format("Name {}", i)));
  for (int round = 0; round < 10; ++round) {
    std::filesystem::remove_all(folder_ / "home");
    const pid_t child = ::fork();
    if (child == 0) {
      auto store = Store::open(path());
      if (store) (void)store->import(targets);
      ::pause();
    }
    ::usleep(static_cast<useconds_t>(1000 * round));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    Store store = open();
    const size_t n = store.list().value().size();
    EXPECT_TRUE(n == 0 || n == targets.size()) << n;
    EXPECT_EQ(store.version().value(), n == 0 ? 1 : 2);
    EXPECT_TRUE(store.add(named("Anna")));
  }
}

}  // namespace
}  // namespace expunge::guard
