// A long pass in blocks: after each one its records are handed over, so that they survive a
// Ctrl+C. A pass that resumes skips what is there already; the remaining blocks are those
// of an uninterrupted pass, and so are its numbers, to the last bit.
#pragma once

#include <algorithm>
#include <span>

#include "base/job.h"

namespace expunge::verify {

// The part of a pass that one of several processes computes: every size-th item, from the rank-th.
struct Shard {
  size_t rank = 0, size = 1;
  bool has(size_t place) const { return place % size == rank; }
  size_t of(size_t n) const { return n / size + (n % size > rank ? 1 : 0); }
};

// For each block of `size` items: work(block, n) where n items came before it, then keep().
template <class T, class Work, class Keep>
base::Status in_blocks(std::span<T> items, size_t size, const base::Job& job, const Work& work,
                       const Keep& keep) {
  for (size_t done = 0; done < items.size(); done += size) {
    TRY(job.check());
    TRY(work(items.subspan(done, std::min(size, items.size() - done)), done));
    TRY(keep());
  }
  return {};
}

}  // namespace expunge::verify
