#include "server/said.h"

#include "base/hash.h"

namespace expunge::server {
namespace {

std::string key_of(const std::string& user, const std::string& assistant) {
  return base::sha256_hex(user + '\0' + assistant);
}

}  // namespace

void Said::add(const std::string& user, const std::string& assistant,
               std::vector<int64_t> entries) {
  const std::string key = key_of(user, assistant);
  const std::lock_guard lock(mutex_);
  if (entries_.insert_or_assign(key, std::move(entries)).second) order_.push_back(key);
  while (order_.size() > kMost) {
    entries_.erase(order_.front());
    order_.pop_front();
  }
}

std::optional<std::vector<int64_t>> Said::under(const std::string& user,
                                                const std::string& assistant) const {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(key_of(user, assistant));
  if (it == entries_.end()) return std::nullopt;
  return it->second;
}

}  // namespace expunge::server
