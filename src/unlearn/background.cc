#include "unlearn/background.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "model/names.h"
#include "tensor/tensor_map.h"

namespace expunge::unlearn {
namespace {

using base::Result;

struct Prepared {
  Tensor x;       // residual stream that leaves the layer, prompt and target [T,D]
  int64_t at;     // the prompt's last token
  Tensor target;  // ids [n]
};

// The layers up to the injection see no shift: their output is computed once.
std::vector<Prepared> prepare(const model::Model& model, const std::vector<Lesson>& lessons,
                              int64_t layer) {
  std::vector<Prepared> prepared;
  model::Runner runner(model);
  for (const Lesson& lesson : lessons) {
    std::vector<int32_t> ids = lesson.prompt;
    ids.insert(ids.end(), lesson.target.begin(), lesson.target.end() - 1);
    model::Sequence sequence;
    const model::Chunk chunk{&sequence, ids};
    Tensor x = runner.forward({&chunk, 1}, {}, layer);
    const c10::InferenceMode leave(false);
    prepared.push_back({x.clone(), static_cast<int64_t>(lesson.prompt.size()) - 1,
                        tensor::from_ids(lesson.target)});
    runner.pool().truncate(sequence, 0);
  }
  return prepared;
}

Tensor lesson_loss(const model::Model& model, const Prepared& p, int64_t layer, const Tensor& shift,
                   double strength) {
  Tensor mask = at::zeros({p.x.size(0), 1}, tensor::f32());
  mask[p.at][0] = strength;
  const Tensor hidden = model::plain_tail(model, p.x + mask * shift, layer + 1);  // [T,D]
  const Tensor logits =
      model::plain_logits(model, hidden.narrow(0, p.at, p.target.size(0)));  // [n,V]
  return at::cross_entropy_loss(logits, p.target);
}

double mean_loss(const model::Model& model, const std::vector<Prepared>& lessons, int64_t layer,
                 const Tensor& shift) {
  const c10::InferenceMode no_grad;
  double total = 0;
  for (const Prepared& p : lessons) total += lesson_loss(model, p, layer, shift, 1).item<double>();
  return total / static_cast<double>(lessons.size());
}

}  // namespace

// Adam (Kingma and Ba 2015, algorithm 1) on the shift alone. The strength of each use is drawn from
// 1 to 3, since edits are applied with a margin and several may fire at once.
Result<Tensor> learn_shift(const model::Model& model, const std::vector<Lesson>& raw, int64_t layer,
                           uint64_t seed, const base::Progress& progress) {
  return tensor::guarded([&]() -> Result<Tensor> {
    const std::vector<Prepared> lessons = prepare(model, raw, layer);
    constexpr int kSteps = 40, kBatch = 6;
    constexpr double kBeta1 = 0.9, kBeta2 = 0.98, kMaxRelativeNorm = 1.2;
    double norm = 0;
    for (const Prepared& p : lessons) norm += p.x[p.at].norm().item<double>();
    norm /= static_cast<double>(lessons.size());
    const int64_t d = model.config().d_model;
    const double rate = 0.08 * norm / std::sqrt(static_cast<double>(d));
    Tensor shift = at::zeros({d}, tensor::f32()), m = at::zeros_like(shift),
           v = at::zeros_like(shift);
    std::mt19937_64 rng(seed);
    for (int step = 1; step <= kSteps; ++step) {
      TRY(base::check_cancel());
      if (progress) progress("learning what to say", static_cast<size_t>(step), kSteps);
      Tensor leaf = shift.detach().clone().requires_grad_(true);
      Tensor gradient = at::zeros_like(shift);
      for (int i = 0; i < kBatch; ++i) {
        const Prepared& p = lessons[rng() % lessons.size()];
        const double strength = 1 + 2 * std::generate_canonical<double, 53>(rng) *
                                        std::generate_canonical<double, 53>(rng);
        lesson_loss(model, p, layer, leaf, strength).backward();
      }
      gradient = leaf.grad() / kBatch;
      m = m * kBeta1 + gradient * (1 - kBeta1);
      v = v * kBeta2 + gradient.square() * (1 - kBeta2);
      const Tensor m_hat = m / (1 - std::pow(kBeta1, step));
      const Tensor v_hat = v / (1 - std::pow(kBeta2, step));
      const double decay = step > kSteps * 2 / 3 ? 0.3 : 1.0;
      shift = shift - m_hat / (v_hat.sqrt() + 1e-12) * (rate * decay);
      const double size = shift.norm().item<double>();
      if (!std::isfinite(size))
        return base::fail(base::Code::kNumeric,
                          fmt::format("the shift's norm is {} at step {}", size, step));
      if (size > kMaxRelativeNorm * norm) shift = shift * (kMaxRelativeNorm * norm / size);
    }
    return shift.detach().clone();
  });
}

namespace {

// Neurons by what they add to the residual stream on the pool: mean |activation| times column norm.
std::vector<int64_t> spare_neurons(const model::Model& model, const Tensor& pool, int64_t layer) {
  const auto weight = [&](std::string_view module) {
    return model.param(model::layer_weight(layer, module)).value;
  };
  const Tensor key = at::silu(at::linear(pool, weight("mlp.gate_proj"))) *
                     at::linear(pool, weight("mlp.up_proj"));  // [n,F]
  const Tensor score = key.abs().mean(0) * weight("mlp.down_proj").norm(2, at::IntArrayRef{0});
  const Tensor order = score.argsort();
  return {order.data_ptr<int64_t>(), order.data_ptr<int64_t>() + order.numel()};
}

// Ridge regression of 1 on the pool: normalised states share a large constant part.
Result<Tensor> constant_direction(const Tensor& pool) {
  const Tensor x = pool.to(at::kDouble);
  const auto n = static_cast<double>(x.size(0));
  const Tensor gram = x.t().mm(x) / n;  // [D,D]
  const Tensor system =
      gram + at::eye(gram.size(0), tensor::f64()) * (1e-3 * gram.diagonal().mean().item<double>());
  const auto [factor, info] = at::linalg_cholesky_ex(system);
  if (info.item<int>() != 0)
    return base::fail(base::Code::kNumeric, "the pool's covariance is not positive definite");
  return at::cholesky_solve(x.mean(0).unsqueeze(1), factor).squeeze(1).to(at::kFloat);
}

}  // namespace

int64_t default_layer(const model::Config& config) {
  return std::clamp<int64_t>(std::llround(0.8 * static_cast<double>(config.n_layers)), 0,
                             config.n_layers - 1);
}

Result<Background> learn_background(const model::Model& model, const BackgroundInputs& inputs,
                                    int64_t layer, uint64_t seed, const base::Progress& progress) {
  if (inputs.lessons.empty()) return base::fail(base::Code::kInvalid, "a background needs lessons");
  if (progress) progress("reading the retain prompts", 0, 0);
  Background b;
  b.layer = layer;
  Tensor pool = TRY(capture(model, inputs.pool, model::Point::kMlpInput, layer));  // [n,D]
  std::vector<Row> tokens;
  return tensor::guarded([&]() -> Result<Background> {
    std::vector<Tensor> parts{pool};
    model::Runner runner(model);
    for (const auto& ids : inputs.texts) {
      TRY(base::check_cancel());
      model::Sequence sequence;
      const model::Chunk chunk{&sequence, ids};
      runner.forward(
          {&chunk, 1},
          [&](model::Point at, int64_t l, Tensor value) {
            if (at == model::Point::kMlpInput && l == layer) parts.push_back(value.clone());
            return value;
          },
          layer);
      runner.pool().truncate(sequence, 0);
    }
    b.pool = at::cat(parts);
    b.constant = TRY(constant_direction(b.pool));
    b.spare = spare_neurons(model, b.pool, layer);
    const std::vector<Prepared> lessons = prepare(model, inputs.lessons, layer);
    b.lesson_loss_base =
        mean_loss(model, lessons, layer, at::zeros({b.pool.size(1)}, tensor::f32()));
    b.shift = TRY(learn_shift(model, inputs.lessons, layer, seed, progress));
    b.lesson_loss = mean_loss(model, lessons, layer, b.shift);
    return b;
  });
}

std::string serialise(const Background& b) {
  return tensor::image({{"pool", b.pool},
                        {"constant", b.constant},
                        {"shift", b.shift},
                        {"spare", tensor::to_tensor({b.spare.begin(), b.spare.end()})}},
                       {{"layer", std::to_string(b.layer)},
                        {"lesson_loss", fmt::format("{}", b.lesson_loss)},
                        {"lesson_loss_base", fmt::format("{}", b.lesson_loss_base)}});
}

Result<Background> deserialise_background(std::string_view bytes) {
  auto [tensors, meta] = TRY(tensor::read_image(bytes));
  if (!tensors.contains("pool") || !tensors.contains("shift") || !tensors.contains("spare") ||
      !tensors.contains("constant") || !meta.contains("layer"))
    return base::fail(base::Code::kCorrupt, "the cached background is incomplete");
  Background b;
  b.pool = tensors["pool"];
  b.constant = tensors["constant"];
  b.shift = tensors["shift"];
  const auto spare = tensor::to_numbers(tensors["spare"]);
  b.spare.assign(spare.begin(), spare.end());
  b.layer = std::stoll(meta["layer"].get<std::string>());
  b.lesson_loss = std::stod(meta.value("lesson_loss", "0"));
  b.lesson_loss_base = std::stod(meta.value("lesson_loss_base", "0"));
  return b;
}

}  // namespace expunge::unlearn
