#include "cli/signals.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <csignal>

namespace expunge::cli {
namespace {

char g_folder[PATH_MAX];
std::atomic<bool> g_has_folder = false;

// System calls only: nothing else may be used in a signal handler. Repeated where another thread is
// making a file.
void remove_folder() {
  if (!g_has_folder) return;
  for (int pass = 0; pass < 8; ++pass) {
    const int folder = open(g_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    alignas(dirent64) char entries[4096];
    for (ssize_t n; (n = getdents64(folder, entries, sizeof entries)) > 0;)
      for (ssize_t at = 0; at < n;) {
        const auto* entry = reinterpret_cast<const dirent64*>(entries + at);
        unlinkat(folder, entry->d_name, 0);
        at += entry->d_reclen;
      }
    close(folder);
    if (rmdir(g_folder) == 0) return;
  }
}

extern "C" void on_end(int signal) {
  remove_folder();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

std::atomic<std::atomic<bool>*> g_cancelled = nullptr;  // the job's flag

extern "C" void on_interrupt(int signal) {
  std::atomic<bool>& cancelled = *g_cancelled.load();
  if (cancelled) on_end(signal);
  cancelled = true;
}

}  // namespace

void handle_signals(const base::Job& job) {
  static base::Job held;  // a signal may come after the job has ended
  held = job.reporting({});
  g_cancelled = &held.flag();
  struct sigaction action {};
  action.sa_handler = on_interrupt;  // no SA_RESTART: a waiting read returns
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  // A terminal that is closed; nohup has it ignored.
  struct sigaction hangup {};
  sigaction(SIGHUP, nullptr, &hangup);
  if (hangup.sa_handler == SIG_DFL) std::signal(SIGHUP, on_end);
  // A closed pipe is an error of write(2), so that a running edit is finished first.
  std::signal(SIGPIPE, SIG_IGN);
  // So is a file beyond ulimit -f: it is reported like a full disk.
  std::signal(SIGXFSZ, SIG_IGN);
}

void rearm(const base::Job& job) { job.flag() = false; }

void remove_on_signal(const std::string& folder) {
  g_has_folder = false;
  if (folder.empty() || folder.size() >= sizeof g_folder) return;
  folder.copy(g_folder, folder.size());
  g_folder[folder.size()] = '\0';
  g_has_folder = true;
}

}  // namespace expunge::cli
