// Prompts whose hidden states below one layer are computed once, on the base model.
//
// An edit at layer k leaves everything below k as it was. A Stage keeps the states that enter k for
// all prompts as one packed batch, so that examining an edited model runs only the layers from k
// on.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "model/generate.h"

namespace expunge::model {

// Not for two threads at once: the layers from k on are scratch.
class Stage {
 public:
  // Errors: an empty or too long prompt; cancelled. With `entering` (one [n,D] for each prompt, n
  // at least its tokens) nothing below the layer is run; such prompts have logits, but cannot be
  // continued. Layer 0 counts as 1.
  static base::Result<Stage> prepare(const Model& base, std::vector<std::vector<int32_t>> prompts,
                                     int64_t layer, std::span<const Tensor> entering = {},
                                     const base::Job& job = {});
  size_t size() const { return prompts_.size(); }
  const std::vector<int32_t>& prompt(size_t i) const { return prompts_[i]; }

  // Leading tokens that all prompts have in common. They are run once, on the base model through
  // all layers, and have no logits: an edited model must not change their states, which holds as
  // long as they come before the question (the system prompt).
  size_t n_shared() const { return prefix_.length(); }

  // Logits of `edited`, which differs from the base from the layer on, at the last `tail[i] + 1`
  // tokens of each prompt, packed in order: [sum(tail + 1), V].
  base::Result<Tensor> logits(const Model& edited, std::span<const int64_t> tail,
                              const base::Job& job = {});
  // Greedy continuations by `edited`, without the end-of-turn token.
  base::Result<std::vector<std::vector<int32_t>>> generate(const Model& edited,
                                                           int64_t max_new_tokens,
                                                           const base::Job& job = {},
                                                           const OnToken& on_token = {});

 private:
  Stage() = default;
  void start(Runner& runner, std::span<const Tensor> entering);
  std::vector<Chunk> chunks();             // the prompts' own tokens
  Tensor resume(Runner& runner);           // final hidden states [rows,D]
  std::vector<int64_t> last_rows() const;  // of each prompt in the pack

  std::shared_ptr<KvPool> pool_;
  std::vector<std::vector<int32_t>> prompts_;
  Sequence prefix_;
  std::vector<Sequence> sequences_;
  Tensor hidden_;  // [rows,D], what enters the layer
  int64_t layer_ = 0;
  bool continuable_ = true;  // the layers below have keys and values
};

}  // namespace expunge::model
