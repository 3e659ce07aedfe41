#include "repair/baseline.h"

#include "repair/base_replies.h"
#include "repair/preparation.h"

namespace expunge::repair {

base::Result<const Baseline::Facts*> Baseline::facts(const unlearn::Method& method,
                                                     const base::Job& job) {
  const std::lock_guard lock(mutex_);
  if (const auto known = facts_.find(method.name); known != facts_.end()) return &known->second;
  Facts facts;
  facts.prepared =
      TRY(unlearn::prepare(method, base_.model, preparation_source(base_, wordings_), job));
  facts.replies =
      TRY(load_base_replies(base_, wordings_, unlearn::first_layer(facts.prepared), job));
  return &(facts_[method.name] = std::move(facts));
}

}  // namespace expunge::repair
