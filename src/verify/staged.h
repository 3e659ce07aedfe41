// Prompts whose hidden states below one layer are computed once.
//
// An edit at layer k leaves everything below k as it was. Staged keeps the states that enter k for
// all prompts as one packed batch, so that examining an edit runs only the layers from k on.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/run.h"
#include "model/generate.h"

namespace expunge::verify {

using tensor::Tensor;

class Staged {
 public:
  // Errors: an empty or too long prompt; cancelled. The model must outlive the object. With
  // `entering` (one [n,D] for each prompt, n at least its tokens) nothing below the layer is run;
  // such prompts have logits, but cannot be continued.
  static base::Result<Staged> prepare(const model::Model& model,
                                      std::vector<std::vector<int32_t>> prompts, int64_t layer,
                                      std::span<const Tensor> entering = {});
  size_t size() const { return prompts_.size(); }
  const std::vector<int32_t>& prompt(size_t i) const { return prompts_[i]; }

  // Leading tokens that all prompts have in common; they are run once and have no logits.
  size_t n_shared() const { return prefix_.length(); }

  // Logits under `edited`, which differs from the model at layers >= `layer` only, at the last
  // `tail[i] + 1` tokens of each prompt, packed in order: [sum(tail + 1), V].
  base::Result<Tensor> logits(const model::Model& edited, std::span<const int64_t> tail);
  // Greedy continuations under such a model, without the end-of-turn token.
  base::Result<std::vector<std::vector<int32_t>>> generate(const model::Model& edited,
                                                           int64_t max_new_tokens,
                                                           const model::OnToken& on_token = {});

 private:
  explicit Staged(const model::Model& model) : runner_(std::make_unique<model::Runner>(model)) {}
  Tensor resume();  // final hidden states [rows,D]

  std::unique_ptr<model::Runner> runner_;
  std::vector<std::vector<int32_t>> prompts_;
  model::Sequence prefix_;
  std::vector<model::Sequence> sequences_;
  std::vector<int64_t> last_row_;  // of each prompt in the pack
  Tensor hidden_;                  // [rows,D], what enters the layer
  int64_t layer_ = 0;
  bool continuable_ = true;  // the layers below hold keys and values
};

}  // namespace expunge::verify
