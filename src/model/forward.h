// The forward pass, two ways over the same weights and the same block:
//  - Runner: inference on packed rows of many sequences with a KV pool, no padding, no autograd;
//  - forward_plain: one sequence, plain operations, differentiable; Runner's readable twin, always
//    with float32 activations.
// Both offer named taps: a hook sees a value and may replace it.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "model/block.h"
#include "model/kv_pool.h"
#include "model/model.h"

namespace expunge::model {

// Returns what the pass continues with: `value` itself, or a replacement of the same shape.
using Hook = std::function<Tensor(Point point, int64_t layer, Tensor value)>;

Tensor activate(const Arch& arch, const Tensor& x);  // act(x), differentiable
// What enters the first layer [rows,D].
Tensor embed(const Model& model, std::span<const int32_t> ids, std::span<const int32_t> positions);

// New tokens of one sequence in a pass; they follow those already in the sequence.
struct Chunk {
  Sequence* sequence;
  std::span<const int32_t> ids;
  // Tokens of this id attend to earlier ones; none attends to them, not even themselves, as with an
  // attention mask that leaves them out. -1: none.
  int32_t hidden_id = -1;
};

// Not for two threads at once. The model must outlive it.
class Runner {
 public:
  explicit Runner(const Model& model) : Runner(model, std::make_shared<KvPool>(model.arch())) {}
  // Starts from another runner's keys and values: of the same model, or of one that differs from
  // it only in layers that are computed again.
  Runner(const Model& model, std::shared_ptr<KvPool> pool)
      : model_(model), pool_(std::move(pool)) {}
  const Model& model() const { return model_; }
  KvPool& pool() { return *pool_; }

  // Runs the chunks as one packed batch and extends their sequences.
  // -> final normed hidden states [rows,D], rows in the chunks' order.
  // `last_layer` >= 0 stops after that layer and returns its residual stream, not normed.
  Tensor forward(std::span<const Chunk> chunks, const Hook& hook = {}, int64_t last_layer = -1);
  // forward in two steps, for a sequence that continues another of the same pass: every chunk is
  // appended, with forks taken in between, then all are computed. Chunks in the order appended.
  void append(const Chunk& chunk);
  Tensor compute(std::span<const Chunk> chunks, const Hook& hook = {}, int64_t last_layer = -1);
  // The same for tokens already in the pool at layers < `layer`, from the residual stream that
  // enters `layer`, hidden [rows,D]: what an edit at `layer` leaves unchanged is not run again.
  // The chunks' ids give the row counts; their sequences must end with exactly those rows.
  Tensor resume(std::span<const Chunk> chunks, int64_t layer, Tensor hidden, const Hook& hook = {});
  // Logits of hidden rows: [n,D] -> [n,V].
  Tensor logits(const Tensor& hidden) const;

 private:
  Tensor run(std::span<const Chunk> chunks, Tensor x, int64_t first, int64_t last,
             const Hook& hook);

  const Model model_;
  std::shared_ptr<KvPool> pool_;
  Sequence unseen_;  // one slot for the keys of all hidden tokens
};

// ids [T] -> final normed hidden states [T,D]. Differentiable in what a hook injects and in
// `weights` that require gradients. Starts at position 0.
Tensor forward_plain(const Model& model, std::span<const int32_t> ids, const Hook& hook = {});
// The rest of that pass, from the residual stream x [T,D] that enters `first_layer`.
// x may hold a batch of sequences of one length, one after another.
Tensor plain_tail(const Model& model, Tensor x, int64_t first_layer, const Hook& hook = {},
                  int64_t batch = 1);
Tensor plain_logits(const Model& model, const Tensor& hidden);  // [n,D] -> [n,V]

}  // namespace expunge::model
