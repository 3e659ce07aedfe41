// Runs the examples of a step through the model: packed, in micro-batches that bound the
// memory, with what never changes (references, a frozen trunk's states) computed once and stored.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "unlearn/objective.h"

namespace expunge::unlearn {

// The examples of a step, or of a micro-batch of it, by kind; the i-th of each belong together.
struct BatchExamples {
  std::vector<const model::Example*> forget, retain, refusal;
};
// A step's examples in micro-batches of about kMicroBatchTokens tokens; of fewer, so that there are
// `least` micro-batches if there are enough examples.
constexpr size_t kMicroBatchTokens = 768;
std::vector<BatchExamples> divide(const BatchExamples& step, size_t least = 1);

// The divisors of means over a whole step.
struct Count {
  int64_t examples = 0, rows = 0, tokens = 0;
};
struct Counts {
  Count forget, retain, refusal;
};
Counts count(const std::vector<BatchExamples>& micro_batches);

// The model as it is trained and as it was, for any examples.
class Batches {
 public:
  // Losses use no layer after `last_layer`; -1: they use the logits.
  Batches(const model::Model& model, const model::Variables& variables, int64_t last_layer);

  // Differentiable -> final hidden states [rows,D], or the residual stream after last_layer.
  Tensor forward(std::span<const model::Example* const> examples, const model::Packed& packed,
                 const model::Hook& hook);
  // The reference's values, without gradients, example after example: final hidden states of the
  // rows [rows,D]; log p of the rows' targets [rows]; a point of the last layer [tokens,width].
  Tensor reference_states(std::span<const model::Example* const> examples,
                          const ReferenceOptions& options);
  Tensor reference_log_probs(std::span<const model::Example* const> examples);
  Tensor reference_layer(std::span<const model::Example* const> examples, model::Point point);

  const model::Model& model() const { return model_; }
  const model::Variables& variables() const { return variables_; }
  int64_t last_layer() const { return last_layer_; }

 private:
  using Cache = std::map<const model::Example*, Tensor>;
  // Calls `compute` for those that are not stored yet, all at once -> all of them, concatenated.
  template <class F>
  static Tensor cached(Cache& cache, std::span<const model::Example* const> examples,
                       const F& compute);
  Tensor entering(std::span<const model::Example* const> examples, const model::Packed& packed);

  const model::Model& model_;
  const model::Variables& variables_;
  int64_t last_layer_, frozen_;  // layers below frozen_ never change
  Cache trunk_, log_probs_;
  std::map<double, Cache> states_;        // by temperature
  std::map<model::Point, Cache> layers_;  // of the last layer
};

// One micro-batch of a step, run once for all that its loss reads.
class MicroBatch {
 public:
  MicroBatch(Batches& batches, const BatchExamples& examples, const Counts& counts);
  ~MicroBatch();
  Part& forget();
  Part& retain();
  Part& refusal();

 private:
  class Kind;
  struct Pass;
  std::unique_ptr<Pass> pass_;
  std::vector<std::unique_ptr<Kind>> kinds_;
};

}  // namespace expunge::unlearn
