#include "model/kv_pool.h"

#include <algorithm>

namespace expunge::model {

KvPool::KvPool(const Arch& config)
    : n_kv_heads_(config.n_kv_heads),
      head_dim_(config.head_dim),
      keys_(static_cast<size_t>(config.n_layers)),
      values_(static_cast<size_t>(config.n_layers)) {}

void KvPool::reserve(size_t n_slots) {
  if (n_slots > n_slots_) grow(n_slots);
}

void KvPool::grow(size_t n_slots) {
  for (auto* pool : {&keys_, &values_})
    for (tensor::Tensor& old : *pool) {
      tensor::Tensor wider = at::empty({static_cast<int64_t>(n_slots), n_kv_heads_, head_dim_},
                                       tensor::f32());  // [slots,G,K]
      if (n_slots_ > 0) wider.narrow(0, 0, static_cast<int64_t>(n_slots_)).copy_(old);
      old = wider;
    }
  // The lowest slot is handed out first, so that a sequence's slots are adjacent.
  std::vector<int32_t> fresh;
  for (size_t slot = n_slots; slot-- > n_slots_;) fresh.push_back(static_cast<int32_t>(slot));
  free_.insert(free_.begin(), fresh.begin(), fresh.end());
  n_slots_ = n_slots;
}

void KvPool::extend(Sequence& sequence, size_t n) {
  if (free_.size() < n)
    grow(std::max<size_t>({n_slots_ + n - free_.size(), n_slots_ + n_slots_ / 2, 64}));
  for (size_t i = 0; i < n; ++i) {
    sequence.slots.push_back(free_.back());
    free_.pop_back();
  }
}

void KvPool::truncate(Sequence& sequence, size_t length) {
  CHECK(length >= sequence.n_shared && (sequence.n_hidden == 0 || length == sequence.n_shared));
  while (sequence.slots.size() > length) {
    free_.push_back(sequence.slots.back());
    sequence.slots.pop_back();
  }
}

Sequence KvPool::fork(const Sequence& prefix) {
  return fork(prefix, prefix.slots.size(), prefix.n_hidden);
}

Sequence KvPool::fork(const Sequence& prefix, size_t n_slots, size_t n_hidden) {
  CHECK(n_slots <= prefix.slots.size() && n_hidden <= prefix.n_hidden);
  const auto end = prefix.slots.begin() + static_cast<std::ptrdiff_t>(n_slots);
  return {{prefix.slots.begin(), end}, n_slots, n_hidden};
}

}  // namespace expunge::model
