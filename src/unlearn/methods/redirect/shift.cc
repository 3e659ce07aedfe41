#include "unlearn/methods/redirect/shift.h"

#include <cmath>
#include <random>

namespace expunge::unlearn::redirect {
namespace {

using base::Result;

constexpr size_t kPassTokens = 768;  // tokens that one pass takes, shared ones counted each time
constexpr int kSteps = 40, kStepsAPart = 10, kBatch = 6;
constexpr double kBeta1 = 0.9, kBeta2 = 0.98, kMaxRelativeNorm = 1.2, kMaxBeforeNorm = 4;

Tensor index(const std::vector<int64_t>& rows) {
  return at::tensor(at::ArrayRef<int64_t>(rows), tensor::i64());
}

size_t tokens(const model::Example& e) { return e.ids.size() - 1; }

}  // namespace

Result<Lessons> Lessons::prepare(const model::Model& model, const std::vector<Lesson>& raw,
                                 int64_t layer, const base::Job& job) {
  if (raw.empty()) return base::fail(base::Code::kInvalid, "a shift is learned from lessons");
  Lessons lessons(model, layer);
  CHECK(!lessons.before_norm_ || layer > 0, "layer {}", layer);
  for (const Lesson& lesson : raw) {
    model::Example e{lesson.prompt, lesson.prompt.size()};
    e.ids.insert(e.ids.end(), lesson.target.begin(), lesson.target.end());
    lessons.items_.push_back({std::move(e), {}, 0});
  }
  const c10::NoGradGuard no_grad;
  for (size_t next = 0; next < lessons.items_.size();) {
    TRY(job.check());
    const size_t first = next;
    std::vector<const model::Example*> some;
    for (size_t n = 0; next < lessons.items_.size() && (n == 0 || n < kPassTokens); ++next) {
      some.push_back(&lessons.items_[next].example);
      n += tokens(*some.back());
    }
    const model::Packed packed = model::pack(some);
    Tensor below_layer, mlp_output;  // [rows,D]
    model::PackedOptions below;
    below.last_layer = layer;
    below.hook = [&](model::Point point, int64_t at, Tensor value) {
      if (at == layer - 1 && point == model::Point::kBlockOutput) below_layer = value;
      if (at == layer && point == model::Point::kMlpOutput) mlp_output = value;
      return value;
    };
    const Tensor above = model::forward_packed(model, {}, packed, below);
    for (size_t i = first; i < next; ++i) {
      Item& item = lessons.items_[i];
      const std::vector<int64_t>& rows = packed.rows[i - first];
      item.entering = (lessons.before_norm_ ? below_layer : above).index_select(0, index(rows));
      const Tensor& shifted = lessons.before_norm_ ? mlp_output : above;
      item.norm = shifted[rows[item.example.first - 1]].norm().item<double>();
    }
  }
  return lessons;
}

Tensor Lessons::loss(std::span<const Use> uses, const Tensor& shift) const {
  // From the shifted token on, uses share no rows; before it, their common
  // beginnings are computed once. Ids matter only to pack() here: the layer's input is given.
  std::vector<model::Example> own;
  std::vector<Tensor> streams;
  std::vector<int64_t> begins;  // of each use in `streams`
  std::vector<int32_t> targets;
  std::vector<float> weights;  // of each target token
  int64_t n_rows = 0;
  for (const Use& use : uses) {
    const Item& item = items_[use.lesson];
    model::Example& e = own.emplace_back(item.example);
    const auto n = static_cast<double>(e.n_predicted() * uses.size());
    for (size_t t = e.first; t < e.ids.size(); ++t) {
      targets.push_back(e.ids[t]);
      weights.push_back(static_cast<float>(-1 / n));
    }
    e.ids[e.first - 1] = -static_cast<int32_t>(own.size());
    streams.push_back(item.entering);
    begins.push_back(n_rows);
    n_rows += item.entering.size(0);
  }
  std::vector<const model::Example*> examples;
  for (const model::Example& e : own) examples.push_back(&e);
  const model::Packed packed = model::pack(examples);
  const auto rows = static_cast<int64_t>(packed.ids.size());
  std::vector<int64_t> from(packed.ids.size()), predicting;
  Tensor strength = at::zeros({rows, 1}, tensor::f32());
  for (size_t u = 0; u < uses.size(); ++u) {
    for (size_t t = 0; t < packed.rows[u].size(); ++t)
      from[static_cast<size_t>(packed.rows[u][t])] = begins[u] + static_cast<int64_t>(t);
    predicting.insert(predicting.end(), packed.predicting[u].begin(), packed.predicting[u].end());
    strength[packed.predicting[u].front()] = uses[u].strength;
  }
  const Tensor stream = at::cat(streams).index_select(0, index(from));  // [rows,D]
  const Tensor change = strength * shift;
  model::PackedOptions above;
  above.first_layer = before_norm_ ? layer_ : layer_ + 1;
  above.entering = before_norm_ ? stream : stream + change;
  if (before_norm_)
    above.hook = [change, layer = layer_](model::Point point, int64_t at, Tensor value) {
      return at == layer && point == model::Point::kMlpOutput ? value + change : value;
    };
  const Tensor hidden = model::forward_packed(*model_, {}, packed, above);
  const Tensor log_probs =
      tensor::head_rows(hidden.index_select(0, index(predicting)), model::head(*model_, {}),
                        tensor::log_prob(tensor::from_ids(targets)));
  const auto n_targets = static_cast<int64_t>(weights.size());
  return (log_probs * tensor::from_floats(weights, {n_targets})).sum();
}

double Lessons::mean_loss(const Tensor& shift) const {
  const c10::NoGradGuard no_grad;
  double total = 0;
  for (size_t next = 0; next < size();) {
    std::vector<Use> uses;
    for (size_t n = 0; next < size() && (n == 0 || n < kPassTokens); ++next) {
      uses.push_back({next, 1});
      n += tokens(items_[next].example);
    }
    total += loss(uses, shift).item<double>() * static_cast<double>(uses.size());
  }
  return total / static_cast<double>(size());
}

double Lessons::mean_norm() const {
  double norm = 0;
  for (const Item& item : items_) norm += item.norm;
  return norm / static_cast<double>(size());
}

namespace {

// Uses are drawn one after the other; a state resumes after as many draws as its steps took.
class Draws {
 public:
  Draws(uint64_t seed, size_t n_lessons) : rng_(seed), n_lessons_(n_lessons) {}
  // The strength of each use is from 1 to 3, since edits are applied with a margin and several may
  // fire at once.
  std::vector<Lessons::Use> step() {
    std::vector<Lessons::Use> uses;
    for (int i = 0; i < kBatch; ++i) {
      const size_t lesson = rng_() % n_lessons_;
      const double a = std::generate_canonical<double, 53>(rng_),
                   b = std::generate_canonical<double, 53>(rng_);
      uses.push_back({lesson, 1 + 2 * a * b});
    }
    return uses;
  }

 private:
  std::mt19937_64 rng_;
  size_t n_lessons_;
};

// A step of Adam (Kingma and Ba 2015, algorithm 1) on the shift; state: shift, m, v [3,D].
Result<Tensor> adam_step(const Lessons& lessons, const std::vector<Lessons::Use>& uses,
                         const Tensor& state, int step, double norm) {
  const double most = norm * (lessons.before_norm() ? kMaxBeforeNorm : kMaxRelativeNorm);
  Tensor leaf = state[0].clone();
  tensor::train(leaf);
  tensor::backward(lessons.loss(uses, leaf));
  const c10::NoGradGuard no_grad;
  const Tensor gradient = leaf.grad();
  const Tensor m = state[1] * kBeta1 + gradient * (1 - kBeta1);
  const Tensor v = state[2] * kBeta2 + gradient.square() * (1 - kBeta2);
  const Tensor m_hat = m / (1 - std::pow(kBeta1, step));
  const Tensor v_hat = v / (1 - std::pow(kBeta2, step));
  const double rate = 0.08 * norm / std::sqrt(static_cast<double>(leaf.size(0))),
               decay = step > kSteps * 2 / 3 ? 0.3 : 1.0;
  Tensor shift = leaf.detach() - m_hat / (v_hat.sqrt() + 1e-12) * (rate * decay);
  const double size = shift.norm().item<double>();
  if (!std::isfinite(size))
    return base::fail(base::Code::kNumeric,
                      fmt::format("the shift's norm is {} at step {}", size, step));
  if (size > most) shift = shift * (most / size);
  return at::stack({shift, m, v});
}

}  // namespace

Result<Tensor> learn_shift(const model::Model& model, const Lessons& lessons, uint64_t seed,
                           const Parts& parts, const base::Job& job) {
  return tensor::guarded([&]() -> Result<Tensor> {
    const double norm = lessons.mean_norm();
    Tensor state = at::zeros({3, model.arch().d_model}, tensor::f32());
    Draws draws(seed, lessons.size());
    for (int first = 1; first <= kSteps; first += kStepsAPart) {
      std::vector<std::vector<Lessons::Use>> steps;
      for (int i = 0; i < kStepsAPart; ++i) steps.push_back(draws.step());
      state = TRY(parts.get(fmt::format("shift-{}", first), [&]() -> Result<Tensor> {
        Tensor now = state;
        for (int i = 0; i < kStepsAPart; ++i) {
          TRY(job.check());
          const int step = first + i;
          job.report("learning what to say", static_cast<size_t>(step), kSteps);
          now = TRY(adam_step(lessons, steps[static_cast<size_t>(i)], now, step, norm));
        }
        return now;
      }));
    }
    return state[0].clone();
  });
}

}  // namespace expunge::unlearn::redirect
