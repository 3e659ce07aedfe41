// How query rows are grouped: rows whose slot lists begin alike share panels of keys.
#pragma once

#include <algorithm>
#include <vector>

#include "tensor/kernels/attention.h"

namespace expunge::tensor::kernels {

// Rows first .. first+n, whose lists agree in their first `shared` entries; `longest` is the
// largest n_visible.
struct AttentionBlock {
  int64_t first, n, shared, longest;
};

// Consecutive rows: of one list, or of lists whose shared beginning is most of what they see.
std::vector<AttentionBlock> attention_blocks(std::span<const AttentionRow> rows, int64_t group);

// The rows of a block, list by list.
struct BlockRows {
  const AttentionRow* rows;
  int64_t n, shared;

  // f(slots, begin, end, row, rows): for the shared slots, then for the rest of each list.
  template <class F>
  void segments(const F& f) const {
    if (shared > 0) f(rows[0].slots, int64_t{0}, shared, int64_t{0}, n);
    for (int64_t r = 0, next; r < n; r = next) {
      int64_t end = rows[r].n_visible;
      for (next = r + 1; next < n && rows[next].slots == rows[r].slots; ++next)
        end = std::max<int64_t>(end, rows[next].n_visible);
      if (end > shared) f(rows[r].slots, shared, end, r, next - r);
    }
  }
  // The first of `count` rows from `row` on that sees entry t.
  int64_t first_seeing(int64_t t, int64_t row, int64_t count) const {
    const int64_t end = row + count;
    while (row < end && rows[row].n_visible <= t) ++row;
    return row;
  }
};

}  // namespace expunge::tensor::kernels
