#include "app/signals.h"

#include <csignal>

#include "base/run.h"

namespace expunge::app {
namespace {

extern "C" void on_interrupt(int signal) {
  if (base::cancel_requested()) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  base::request_cancel();
}

}  // namespace

void handle_signals() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;  // no SA_RESTART: a waiting read returns
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  // A closed pipe is an error of write(2), so that an edit under way is finished first.
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace expunge::app
