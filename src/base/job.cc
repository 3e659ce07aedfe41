#include "base/job.h"

#include <limits>

namespace expunge::base {

Status Job::check() const {
  if (cancelled()) return fail(Code::kCancelled, "cancelled");
  if (deadline_ && Clock::now() >= *deadline_)
    return fail(Code::kCancelled, "the time given to this work is over", "give it more time");
  return {};
}

Job Job::reporting(Progress progress) const {
  Job job = *this;
  job.progress_ = std::move(progress);
  return job;
}

Job Job::within(double seconds) const {
  Job job = *this;
  const auto end =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(
                         std::min(seconds, 1e8)));  // 1e8 s: beyond it the clock overflows
  if (!job.deadline_ || end < *job.deadline_) job.deadline_ = end;
  return job;
}

double Job::seconds_left() const {
  if (!deadline_) return std::numeric_limits<double>::infinity();
  return std::chrono::duration<double>(*deadline_ - Clock::now()).count();
}

}  // namespace expunge::base
