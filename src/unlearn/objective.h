// What a gradient method minimises: a loss over the answers to forget, to keep and to give instead,
// written once; batches, references, adapters and the fit loop are left to train().
#pragma once

#include <string_view>
#include <vector>

#include "base/job.h"
#include "edit/fit.h"
#include "model/packed.h"
#include "unlearn/knob.h"

namespace expunge::unlearn {

using tensor::Tensor;

// The reference is the model as it was before the training.
struct ReferenceOptions {
  double temperature = 1;  // attention logits are divided by it
};

// Some examples of one kind within a step. "Rows" are their predicted tokens, example after
// example. A step may come in pieces; means are over the whole step, so that pieces add up.
class Part {
 public:
  virtual ~Part() = default;
  virtual int64_t n_examples() const = 0;
  virtual const Tensor& targets() const = 0;  // [rows] token ids
  virtual const Tensor& lengths() const = 0;  // [n] rows an example, float32
  // log p(target) under the trained model and under the reference [rows].
  virtual Tensor log_probs() = 0;
  virtual Tensor reference_log_probs() = 0;
  // A number per row from its logits; `function`'s rows are those of targets().
  virtual Tensor from_logits(tensor::RowFunction function) = 0;
  // Final hidden states of the reference [rows,D]; reference_logits turns rows of them into logits.
  virtual Tensor reference_states(const ReferenceOptions& options = {}) = 0;
  virtual Tensor reference_logits(const Tensor& states) const = 0;
  // Values in the objective's last layer at every token of the examples, prompts too, except the
  // last, which is only predicted [tokens,width].
  virtual Tensor layer(model::Point point) = 0;
  virtual Tensor reference_layer(model::Point point) = 0;

  virtual Tensor example_sums(const Tensor& rows) const = 0;     // [rows] -> [n]
  virtual Tensor mean_over_rows(const Tensor& rows) const = 0;   // [rows] -> scalar
  virtual Tensor mean_over_examples(const Tensor& x) const = 0;  // [n] -> scalar
  virtual Tensor mean_over_tokens(const Tensor& x) const = 0;    // [tokens] -> scalar
};

struct Minibatch {
  const model::Model& model;  // the reference
  const Knobs& knobs;
  uint64_t seed;
  bool is_last_piece;               // of its step
  edit::FitState& state;            // carried from step to step
  Part &forget, &retain, &refusal;  // refusal: the forget prompts with the replies to give instead
};

// In addition to the forget set. kAlternative: answers that the method makes, in place of refusals.
enum class Uses { kRetain, kRefusal, kAlternative };

// What a gradient method minimises and trains.
struct Objective {
  std::vector<Uses> uses = {};
  // The loss of a piece of a step; a scalar.
  Tensor (*loss)(Minibatch& batch) = nullptr;
  // What is trained if no knob says so, and the last layer that the loss reads.
  std::vector<std::string> (*trained)(const model::Model& model, const Knobs& knobs) = nullptr;
  int64_t (*last_layer)(const model::Model& model, const Knobs& knobs) = nullptr;
  // Adapters to begin with, in the place of random ones (FILA).
  base::Result<edit::TrainableParameters> (*begin)(const struct Problem& problem,
                                                   const Knobs& knobs,
                                                   const base::Job& job) = nullptr;
  // The training set with what the method adds to it before it is trained (kAlternative).
  base::Result<struct TrainingSet> (*prepare)(const struct Problem& problem, const Knobs& knobs,
                                              const base::Job& job) = nullptr;
  // The edit from what was learnt, by default the same.
  edit::Edit (*finish)(edit::Edit learnt, const Knobs& knobs) = nullptr;
  // A piece's loss depends on those before it (`state`), so one process has to see them all.
  bool in_order = false;
};

// Cross-entropy: the mean over answer tokens of −log p.
Tensor cross_entropy(Part& part);
// Mean over answer tokens of 1 + p(y) − max over v != y of p(v) (LoKU, arXiv 2408.06621, eq. 5).
Tensor inverted_hinge(Part& part);
tensor::RowFunction inverted_hinge_rows(Tensor targets);
// Mean over answer tokens of KL(p ‖ model), p of `teacher`: reference logits [c,V] of rows begin..
// -> logits [c,V].
using Teacher = std::function<Tensor(const Tensor& logits, int64_t begin)>;
Tensor distillation(Part& part, const Teacher& teacher, const ReferenceOptions& options = {});
// The retain term that the knobs retain_loss and retain_weight ask for.
Tensor retain_term(Minibatch& batch);

// Knobs that every gradient method has, then its own. `lr` and `epochs` differ from method to
// method, the rest has one default.
struct TrainingDefaults {
  double lr = 1e-5, epochs = 10;
  double lora = 0;  // rank
};
// The matrices that the knobs modules and from_layer name.
std::vector<std::string> trained_matrices(const model::Model& model, const Knobs& knobs);
// (`own` come first.)
std::vector<Knob> training_knobs(std::vector<Knob> own, const TrainingDefaults& defaults = {});
std::vector<Knob> with_retain_knobs(std::vector<Knob> own);

}  // namespace expunge::unlearn
