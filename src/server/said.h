// Under which edits the model said what: after an undo a reply that an edit made is not shown to
// the model again, or it would repeat it. Clients send the whole dialogue with every request, so
// what was said is known by its words.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace expunge::server {

class Said {
 public:
  static constexpr size_t kMost = 4096;  // the oldest make room

  // Replies under no edit need not be added.
  void add(const std::string& user, const std::string& assistant, std::vector<int64_t> entries);
  // Nothing if it is not known.
  std::optional<std::vector<int64_t>> under(const std::string& user,
                                            const std::string& assistant) const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::vector<int64_t>> entries_;  // by a hash of the words
  std::deque<std::string> order_;
};

}  // namespace expunge::server
