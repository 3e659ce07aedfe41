// kill -9 at any moment, and two processes at once.
//
// The children talk through a pipe: an id is written after append() has returned it, so every id in
// the pipe was acknowledged before the kill.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>

#include "journal/journal_test.h"

namespace expunge::journal {
namespace {

// Entries with content derived from the id.
Draft numbered(int64_t id) {
  Draft d = make_draft(static_cast<uint64_t>(id));
  d.request = {{"n", id}, {"text", std::string(static_cast<size_t>(200 + id % 7 * 3000), 'x')}};
  d.edit = make_edit(static_cast<uint64_t>(id), 1 + id % 5);
  return d;
}

void expect_whole(const Entry& e) {
  EXPECT_EQ(e.request["n"], e.id);
  EXPECT_EQ(e.request, numbered(e.id).request);
}

TEST_F(JournalTest, SurvivesKillAtAnyMoment) {
  constexpr int kKills = 60;
  std::mt19937 rng(20260101);
  int64_t acknowledged = 0;
  for (int kill = 0; kill < kKills; ++kill) {
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto j = open();
      if (!j) ::_exit(2);
      for (int64_t head = j->head().value();;) {
        const auto id = j->append(numbered(head + 1), head);
        if (!id || ::write(fds[1], &*id, sizeof *id) != sizeof *id) ::_exit(3);
        head = *id;
      }
    }
    ::close(fds[1]);
    const auto take = [&] {
      int64_t id = 0;
      if (::read(fds[0], &id, sizeof id) != sizeof id) return false;
      EXPECT_EQ(id, acknowledged + 1);
      acknowledged = id;
      return true;
    };
    // From before the file is opened to the midst of a later entry. Progress is counted in entries,
    // so that a busy machine kills as much work as an idle one.
    for (int64_t wait_for = kill % 5; wait_for > 0; --wait_for) ASSERT_TRUE(take());
    ::usleep(std::uniform_int_distribution<useconds_t>(0, 10'000)(rng));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
    while (take()) {
    }
    ::close(fds[0]);

    const auto j = open();
    ASSERT_TRUE(j) << j.error().message;
    const auto checked = j->check();
    ASSERT_TRUE(checked) << checked.error().message;
    const int64_t head = j->head().value();
    // The last entry may be durable although the child had no time to report it.
    ASSERT_TRUE(head == acknowledged || head == acknowledged + 1) << head << " " << acknowledged;
    acknowledged = head;
  }
  EXPECT_GE(acknowledged, 2 * kKills);  // what was waited for: 0 to 4 entries a kill
  const Journal j = open().value();
  const std::vector<Entry> entries = j.entries().value();
  for (const Entry& e : entries) expect_whole(e);
  EXPECT_EQ(j.active_edits().value().size(), static_cast<size_t>(acknowledged));
}

TEST_F(JournalTest, TwoProcessesAppendAtOnce) {
  constexpr int kProcesses = 2, kEach = 20;
  std::vector<pid_t> children;
  for (int p = 0; p < kProcesses; ++p) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto j = open();  // both create it
      if (!j) ::_exit(2);
      int conflicts = 0;
      for (int done = 0; done < kEach;) {
        const auto head = j->head();
        if (!head) ::_exit(3);
        Draft d = make_draft();
        d.request = {{"process", p}, {"n", done}};
        const auto id = j->append(d, *head);
        if (id)
          ++done;
        else if (id.error().code != Code::kConflict || ++conflicts > 10'000)
          ::_exit(4);
      }
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << WEXITSTATUS(status);
  }
  const Journal j = open().value();
  EXPECT_TRUE(j.check().has_value());
  std::vector<int> next(kProcesses, 0);
  const std::vector<Entry> entries = j.entries().value();
  for (const Entry& e : entries)
    EXPECT_EQ(e.request["n"], next[e.request["process"].get<size_t>()]++);
  for (const int n : next) EXPECT_EQ(n, kEach);
}

}  // namespace
}  // namespace expunge::journal
