// LUNAR (arXiv 2502.07218, eq. 5): one down projection learns to give, on forget tokens, its output
// moved by c v, v = mean output on refused questions − mean output on the forget tokens, and on
// retain tokens its old output. No layer after it is run.
#include "model/role.h"
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

constexpr auto kPoint = model::Point::kMlpOutput;

int64_t layer_of_knobs(const model::Model& model, const Knobs& knobs) {
  const int64_t n = model.arch().n_layers;
  const auto layer = static_cast<int64_t>(knobs.at("layer"));
  return layer < 0 ? n * 22 / 32 : std::min(layer, n - 1);
}

std::vector<std::string> trained(const model::Model& model, const Knobs& knobs) {
  return {model::weight_name(model.arch(), model::Role::kDown, layer_of_knobs(model, knobs))};
}

Tensor loss(Minibatch& batch) {
  const Tensor before = batch.forget.reference_layer(kPoint);  // [tokens,D]
  const Tensor v = batch.refusal.reference_layer(kPoint).mean(0) - before.mean(0);
  const Tensor wanted = before + v * batch.knobs.at("strength");
  const Tensor moved = (batch.forget.layer(kPoint) - wanted).square().mean(1);
  const Tensor kept =
      (batch.retain.layer(kPoint) - batch.retain.reference_layer(kPoint)).square().mean(1);
  return batch.forget.mean_over_tokens(moved) + batch.retain.mean_over_tokens(kept);
}

}  // namespace

extern const Method method_lunar;
const Method method_lunar{
    .name = "lunar",
    .citation = "LUNAR, arXiv 2502.07218, eq. 5",
    .knobs = training_knobs(
        {{"layer", -1, -1, 1023, "whose down projection is trained; -1: 22/32 of the depth"},
         {"strength", 2, 0, 100, "c, multiple of the refusal direction"}},
        {.lr = 1e-3, .epochs = 20}),
    .how = Objective{.uses = {Uses::kRetain, Uses::kRefusal},
                     .loss = loss,
                     .trained = trained,
                     .last_layer = layer_of_knobs,
                     .in_order = true},
};

}  // namespace expunge::unlearn
