// How long work that counts its parts will take, from the pace it has had.
#pragma once

#include <cstddef>
#include <optional>

namespace expunge::cli {

class Estimate {
 public:
  // `done` of `total` parts at `now` (seconds of any clock). Another total, or fewer parts than
  // before, means other work. -> seconds left; nothing in the first kLeast seconds, without a part
  // done since the first call (an earlier run's parts give no pace), or without a total.
  std::optional<double> left(size_t done, size_t total, double now);
  static constexpr double kLeast = 2;

 private:
  size_t total_ = 0, first_ = 0, last_ = 0;
  double began_ = 0;
};

}  // namespace expunge::cli
