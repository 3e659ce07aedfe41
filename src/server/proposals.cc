#include "server/proposals.h"

#include <algorithm>

#include "service/keys.h"

namespace expunge::server {

void Proposals::drop_old() {
  const auto now = std::chrono::steady_clock::now();
  while (!kept_.empty() && (kept_.size() > kMost || now - kept_.back().made > kOpen))
    kept_.pop_back();
}

std::string Proposals::add(service::Proposal proposal) {
  const std::lock_guard lock(mutex_);
  std::string id = "p-" + service::random_text(12);
  std::string words = service::in_words(proposal);
  kept_.push_front({id, std::move(words), std::move(proposal), std::chrono::steady_clock::now()});
  drop_old();
  return id;
}

std::optional<service::Proposal> Proposals::take(const std::string& id) {
  const std::lock_guard lock(mutex_);
  drop_old();
  const auto it = std::ranges::find(kept_, id, &Kept::id);
  if (it == kept_.end()) return std::nullopt;
  service::Proposal proposal = std::move(it->proposal);
  kept_.erase(it);
  return proposal;
}

std::optional<std::string> Proposals::id_of(const std::string& words) const {
  const std::lock_guard lock(mutex_);
  const auto it = std::ranges::find(kept_, words, &Kept::words);
  if (it == kept_.end()) return std::nullopt;
  return it->id;
}

}  // namespace expunge::server
