// What was proposed and awaits an answer. A proposal is answered once, by whoever knows its id.
#pragma once

#include <chrono>
#include <list>
#include <mutex>
#include <optional>
#include <string>

#include "service/orders.h"

namespace expunge::server {

class Proposals {
 public:
  static constexpr size_t kMost = 256;           // the oldest make room
  static constexpr std::chrono::hours kOpen{1};  // then it must be made again

  struct Open {
    std::string id;
    service::Proposal proposal;
  };
  // -> its id: "p-" and random characters.
  std::string add(service::Proposal proposal);
  // It is no longer open. Nothing if it is not (any more).
  std::optional<service::Proposal> take(const std::string& id);
  // Whose words (service::in_words) these are; it stays open.
  std::optional<std::string> id_of(const std::string& words) const;

 private:
  struct Kept {
    std::string id, words;
    service::Proposal proposal;
    std::chrono::steady_clock::time_point made;
  };
  void drop_old();
  mutable std::mutex mutex_;
  std::list<Kept> kept_;  // the latest first
};

}  // namespace expunge::server
