// A long pass in blocks: after each of them what was computed is handed over, so that it outlives a
// Ctrl+C. Whoever goes on leaves out what is there; the blocks that are left are those of a pass
// that was not interrupted, and so are its numbers, to the last bit.
#pragma once

#include <algorithm>
#include <span>

#include "base/run.h"

namespace expunge::verify {

// What one of several processes takes of a pass: every size-th item, from the rank-th on.
struct Share {
  size_t rank = 0, size = 1;
  bool has(size_t place) const { return place % size == rank; }
  size_t of(size_t n) const { return n / size + (n % size > rank ? 1 : 0); }
};

// work(block, done) for each `size` of the items, `done` of them being behind it; then keep().
template <class T, class Work, class Keep>
base::Status in_blocks(std::span<T> items, size_t size, const Work& work, const Keep& keep) {
  for (size_t done = 0; done < items.size(); done += size) {
    TRY(base::check_cancel());
    TRY(work(items.subspan(done, std::min(size, items.size() - done)), done));
    TRY(keep());
  }
  return {};
}

}  // namespace expunge::verify
