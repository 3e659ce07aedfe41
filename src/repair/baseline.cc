#include "repair/baseline.h"

#include "repair/background.h"
#include "repair/references.h"

namespace expunge::repair {

base::Result<const Baseline::Facts*> Baseline::facts(const base::Job& job) {
  const std::lock_guard lock(mutex_);
  if (!facts_) {
    auto background = TRY(load_background(base_, -1, job.progress()));
    auto references = TRY(load_references(base_, background.layer));
    facts_ = Facts{std::move(background), std::move(references)};
  }
  return &*facts_;
}

}  // namespace expunge::repair
