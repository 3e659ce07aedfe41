// RMU (arXiv 2403.03218, eq. 1 to 3): at one layer the forget tokens' states are drawn to c u, u a
// random unit vector, and the retain tokens' kept where they were. Trains the down projections of
// that layer and the two before; no layer after it is run.
#include <algorithm>
#include <random>

#include "model/role.h"
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

int64_t layer_of_knobs(const model::Model& model, const Knobs& knobs) {
  const int64_t n = model.arch().n_layers;
  const auto layer = static_cast<int64_t>(knobs.at("layer"));
  return layer < 0 ? std::max<int64_t>(0, n * 7 / 32) : std::min(layer, n - 1);
}

std::vector<std::string> trained(const model::Model& model, const Knobs& knobs) {
  std::vector<std::string> names;
  const int64_t last = layer_of_knobs(model, knobs);
  for (int64_t layer = std::max<int64_t>(0, last - 2); layer <= last; ++layer)
    names.push_back(model::weight_name(model.arch(), model::Role::kDown, layer));
  return names;
}

Tensor direction(const Minibatch& batch) {  // [D]
  std::mt19937_64 rng(batch.seed);
  std::vector<float> values(static_cast<size_t>(batch.model.arch().d_model));
  for (float& v : values) v = static_cast<float>(static_cast<double>(rng() >> 11) * 0x1p-53);
  const Tensor u = tensor::from_floats(values, {batch.model.arch().d_model});
  return u / at::linalg_vector_norm(u);
}

Tensor loss(Minibatch& batch) {
  constexpr auto kPoint = model::Point::kBlockOutput;
  const Tensor wanted = direction(batch) * batch.knobs.at("steering");
  const Tensor moved = (batch.forget.layer(kPoint) - wanted).square().mean(1);  // [tokens]
  const Tensor kept =
      (batch.retain.layer(kPoint) - batch.retain.reference_layer(kPoint)).square().mean(1);
  return batch.forget.mean_over_tokens(moved) +
         batch.retain.mean_over_tokens(kept) * batch.knobs.at("retain_weight");
}

}  // namespace

extern const Method method_rmu;
const Method method_rmu{
    .name = "rmu",
    .citation = "RMU, arXiv 2403.03218, eq. 1 to 3",
    .knobs =
        training_knobs({{"layer", -1, -1, 1023, "whose states are steered; -1: 7/32 of the depth"},
                        {"steering", 20, 0, 1e5, "c, the length that forget states are drawn to"},
                        {"retain_weight", 100, 0, 1e6, "alpha, of the retain term"}}),
    .how = Objective{.uses = {Uses::kRetain},
                     .loss = loss,
                     .trained = trained,
                     .last_layer = layer_of_knobs},
};

}  // namespace expunge::unlearn
