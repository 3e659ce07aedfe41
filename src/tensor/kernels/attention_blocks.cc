#include "tensor/kernels/attention_blocks.h"

namespace expunge::tensor::kernels {
namespace {

// Lists that share fewer are not worth a common panel.
constexpr int64_t kLeastShared = 32;

int64_t common(const AttentionRow& a, const AttentionRow& b, int64_t n) {
  n = std::min<int64_t>({n, a.n_visible, b.n_visible});
  return std::mismatch(a.slots, a.slots + n, b.slots).first - a.slots;
}

}  // namespace

std::vector<AttentionBlock> attention_blocks(std::span<const AttentionRow> rows, int64_t group) {
  constexpr int64_t kQueries = 48, kScores = int64_t{1} << 17;
  std::vector<AttentionBlock> blocks;
  bool one_list = true;
  for (size_t i = 0; i < rows.size(); ++i) {
    const AttentionRow& row = rows[i];
    if (!blocks.empty()) {
      AttentionBlock& b = blocks.back();
      const bool same = row.slots == rows[i - 1].slots;
      const int64_t longest = std::max<int64_t>(b.longest, row.n_visible);
      const int64_t shared = !same      ? common(rows[static_cast<size_t>(b.first)], row, b.shared)
                             : one_list ? longest
                                        : b.shared;
      const int64_t queries = (b.n + 1) * group;
      const bool alike = same || (shared >= kLeastShared && 2 * shared >= longest);
      if (alike && queries <= kQueries && queries * longest <= kScores) {
        one_list = one_list && same;
        b = {b.first, b.n + 1, shared, longest};
        continue;
      }
    }
    blocks.push_back({static_cast<int64_t>(i), 1, row.n_visible, row.n_visible});
    one_list = true;
  }
  return blocks;
}

}  // namespace expunge::tensor::kernels
