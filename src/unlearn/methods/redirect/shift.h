// The shift: one vector that is added to what a layer's MLP gives, at the last token of a prompt,
// so that the model says something else from there on. Where no norm follows the MLP, that is the
// same as adding it to the residual stream after the layer, and is computed so.
#pragma once

#include "model/packed.h"
#include "unlearn/preparation.h"

namespace expunge::unlearn::redirect {

// Lessons as the shift is learned from them: layers up to the shifted one see no shift, so they are
// computed once.
class Lessons {
 public:
  // Errors: kInvalid without lessons, kCancelled.
  static base::Result<Lessons> prepare(const model::Model& model,
                                       const std::vector<Lesson>& lessons, int64_t layer,
                                       const base::Job& job);

  // One use of a lesson, with `strength` times the shift.
  struct Use {
    size_t lesson;
    double strength;
  };
  // The mean over the uses of −log p a target token; differentiable in shift [D].
  Tensor loss(std::span<const Use> uses, const Tensor& shift) const;
  // The same of every lesson once, a number.
  double mean_loss(const Tensor& shift) const;
  double mean_norm() const;  // of what the shift is added to, at the prompts' last tokens
  bool before_norm() const { return before_norm_; }  // a norm follows the MLP
  size_t size() const { return items_.size(); }

 private:
  struct Item {
    model::Example example;  // prompt and target
    Tensor entering;         // [T,D], the stream that enters the first layer that the shift changes
    double norm;             // at the prompt's last token
  };
  Lessons(const model::Model& model, int64_t layer)
      : model_(&model),
        layer_(layer),
        before_norm_(model::has(model.arch(), model::Role::kMlpOutputNorm)) {}

  const model::Model* model_;
  int64_t layer_;
  bool before_norm_;
  std::vector<Item> items_;
};

// The shift that makes the model say the targets, its norm at most 1.2 times that of what it is
// added to, or 4 times where a norm follows. `parts` store the state every few steps. Errors:
// kNumeric with the step, kCancelled.
base::Result<Tensor> learn_shift(const model::Model& model, const Lessons& lessons, uint64_t seed,
                                 const Parts& parts, const base::Job& job);

}  // namespace expunge::unlearn::redirect
