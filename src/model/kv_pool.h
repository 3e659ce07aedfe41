// Keys and values of all running sequences, one slot a token, so that sequences of different length
// share a batch without padding and share a common prefix without a copy.
#pragma once

#include <cstdint>
#include <vector>

#include "model/arch.h"
#include "tensor/tensor.h"

namespace expunge::model {

// A running sequence: the slots of the tokens that later ones attend to, in order. The first
// n_shared belong to another sequence, which must outlive this one.
struct Sequence {
  std::vector<int32_t> slots;
  size_t n_shared = 0;
  size_t n_hidden = 0;  // tokens that take a position and to which none attends (Chunk::hidden_id)
  size_t length() const { return slots.size() + n_hidden; }
};

class KvPool {
 public:
  explicit KvPool(const Arch& config);
  // Room for n slots in all: growing step by step copies, and leaves holes in the heap.
  void reserve(size_t n_slots);
  // Appends n slots to the sequence; grows the pool as needed (existing slots keep their content).
  void extend(Sequence& sequence, size_t n);
  // Frees the slots from `length` on that the sequence owns.
  void truncate(Sequence& sequence, size_t length);
  // A sequence that continues `prefix` without copying it.
  static Sequence fork(const Sequence& prefix);
  // The same of its first tokens only: n_slots attended to, n_hidden hidden.
  static Sequence fork(const Sequence& prefix, size_t n_slots, size_t n_hidden);

  tensor::Tensor& keys(int64_t layer) { return keys_[static_cast<size_t>(layer)]; }  // [slots,G,K]
  tensor::Tensor& values(int64_t layer) { return values_[static_cast<size_t>(layer)]; }

 private:
  void grow(size_t n_slots);
  int64_t n_kv_heads_, head_dim_;
  std::vector<tensor::Tensor> keys_, values_;
  std::vector<int32_t> free_;
  size_t n_slots_ = 0;
};

}  // namespace expunge::model
