// What a long computation shares with whoever started it: progress and time; base/job.h has the
// rest.
#pragma once

#include <chrono>
#include <functional>
#include <string_view>

namespace expunge::base {

// Called with (what, done, total) by long work; total 0 means unknown. May be empty.
using Progress = std::function<void(std::string_view what, size_t done, size_t total)>;

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace expunge::base
