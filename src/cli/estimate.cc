#include "cli/estimate.h"

namespace expunge::cli {

std::optional<double> Estimate::left(size_t done, size_t total, double now) {
  if (total != total_ || done < last_) total_ = total, first_ = done, began_ = now;
  last_ = done;
  if (done >= total) return total > 0 ? std::optional(0.0) : std::nullopt;
  if (done <= first_ || now - began_ < kLeast) return std::nullopt;
  return (now - began_) * static_cast<double>(total - done) / static_cast<double>(done - first_);
}

}  // namespace expunge::cli
