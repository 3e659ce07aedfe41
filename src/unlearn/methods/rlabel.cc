// Random labels (Yao et al. 2024, arXiv 2402.15159): the forget prompts learn uniformly drawn
// tokens.
#include <random>

#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

Tensor loss(Minibatch& batch) {
  // Drawn again each step, from the seed alone. State: steps done, and labels of the step's pieces
  // so far.
  edit::FitState& state = batch.state;
  state.resize(2);
  std::mt19937_64 rng(batch.seed + static_cast<uint64_t>(state[0]));
  rng.discard(static_cast<uint64_t>(state[1]));
  std::vector<int32_t> labels(static_cast<size_t>(batch.forget.targets().size(0)));
  for (int32_t& label : labels)
    label = static_cast<int32_t>(rng() % static_cast<uint64_t>(batch.model.arch().vocab_size));
  state[1] += static_cast<double>(labels.size());
  if (batch.is_last_piece) state = {state[0] + 1, 0};
  Part& forget = batch.forget;
  return -forget.mean_over_rows(forget.from_logits(tensor::log_prob(tensor::from_ids(labels))));
}

}  // namespace

extern const Method method_rlabel;
const Method method_rlabel{
    .name = "rlabel",
    .citation = "Yao et al. 2024, arXiv 2402.15159: random labels",
    .knobs = training_knobs({}),
    .how = Objective{.loss = loss, .in_order = true},
};

}  // namespace expunge::unlearn
