#include "repair/baseline.h"

#include "repair/background.h"
#include "repair/base_replies.h"

namespace expunge::repair {

base::Result<const Baseline::Facts*> Baseline::facts(const base::Job& job) {
  const std::lock_guard lock(mutex_);
  if (!facts_) {
    auto background = TRY(load_background(base_, -1, job.progress()));
    auto replies = TRY(load_base_replies(base_, background.layer));
    facts_ = Facts{std::move(background), std::move(replies)};
  }
  return &*facts_;
}

}  // namespace expunge::repair
