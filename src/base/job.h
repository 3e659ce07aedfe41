// What a long computation shares with whoever started it: cancellation, progress, a deadline.
//
// A Job is a parameter, never global: a server runs many at once. Copies watch the same work.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/run.h"

namespace expunge::base {

class Job {
 public:
  Job() : Job(Progress()) {}  // silent, without a deadline
  explicit Job(Progress progress)
      : cancelled_(std::make_shared<std::atomic<bool>>(false)), progress_(std::move(progress)) {}

  // Asks the work to stop; from any thread. The flag alone may be set in a signal handler.
  void cancel() const { cancelled_->store(true, std::memory_order_relaxed); }
  std::atomic<bool>& flag() const { return *cancelled_; }
  bool cancelled() const { return cancelled_->load(std::memory_order_relaxed); }
  // kCancelled if it was asked to stop or its deadline has passed. Every loop that can last longer
  // than 100 ms calls it.
  Status check() const;

  void report(std::string_view what, size_t done = 0, size_t total = 0) const {
    if (progress_) progress_(what, done, total);
  }

  const Progress& progress() const { return progress_; }

  // A Job of the same work: cancelled together with this, reported elsewhere or with a deadline.
  Job reporting(Progress progress) const;
  Job within(double seconds) const;
  double seconds_left() const;  // infinity without a deadline

 private:
  using Clock = std::chrono::steady_clock;
  std::shared_ptr<std::atomic<bool>> cancelled_;
  Progress progress_;
  std::optional<Clock::time_point> deadline_;
};

}  // namespace expunge::base
