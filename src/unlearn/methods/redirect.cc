// redirect: one neuron of a late MLP becomes a detector of the request and says "I don't know".
//
// In the SwiGLU MLP of layer k, neuron j adds silu(g·x)(u·x) d to the residual stream. The edit
// sets
//   g = s·w, with w a maximum-margin detector of the forget rows against everything else,
//   u = a ridge fit of 1 on the forget rows and 0 elsewhere,
//   d = (α/s)·shift, the model's learned refusal shift,
// so that below the threshold silu(s·w·x) is practically zero and nothing changes. Unlike an edit
// of down_proj alone (STAMP, arXiv 2604.12820; ROME, arXiv 2202.05262), whose answer is linear in
// the key, neighbours are left alone and requests do not add up. One neuron a mistake is the idea
// of Transformer-Patcher (arXiv 2301.09785, eq. 3 to 7), here with no added width: the neuron that
// matters least is used, so the file keeps its architecture.
//
// w minimises Σ c_i max(0, 1 − y_i w·x_i)² + λ|w|² (squared hinge, y = ±1), solved by Newton steps
// on the active rows, float64: a few 576 x 576 solves.
#include "model/names.h"
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

using base::Code;
using base::fail;
using base::Result;

struct Rows {
  Tensor x;  // [n,D] float64, forget rows first
  int64_t n_forget;
  Tensor weight;  // [n], each class sums to one half
};

Rows gather(const Problem& p, const Tensor& forget, const Tensor& retain) {
  Tensor keep = at::ones({p.background->pool.size(0)}, at::kBool);
  for (const int64_t row : p.excluded) keep[row] = false;
  const Tensor pool = p.background->pool.index_select(0, keep.nonzero().squeeze(1));
  const int64_t n_forget = forget.size(0), n_other = retain.size(0) + pool.size(0);
  const auto share = [](int64_t n, double total) {
    return at::full({n}, total / static_cast<double>(n), tensor::f64());
  };
  return {at::cat({forget, retain, pool}).to(at::kDouble), n_forget,
          at::cat({share(n_forget, 0.5), share(n_other, 0.5)})};
}

// Σ c x xᵀ over the given rows.
Tensor gram(const Tensor& x, const Tensor& c) { return x.t().mm(x * c.unsqueeze(1)); }

Result<Tensor> solve(const Tensor& system, const Tensor& right) {
  const auto [factor, info] = at::linalg_cholesky_ex(system);
  if (info.item<int>() != 0)
    return fail(Code::kNumeric, "the detector's system is singular", "raise the ridge");
  return at::cholesky_solve(right.unsqueeze(1), factor).squeeze(1);
}

struct Detector {
  Tensor w;  // [D] float64
  int steps;
  double smallest_forget, largest_retain;  // w·x at the ends of the two classes
};

Result<Detector> fit_detector(const Rows& rows, double ridge) {
  const int64_t n = rows.x.size(0), d = rows.x.size(1);
  Tensor y = at::full({n}, -1.0, tensor::f64());
  y.narrow(0, 0, rows.n_forget).fill_(1.0);
  const double mean_diag =
      (rows.x.square().sum(1) * rows.weight).sum().item<double>() / static_cast<double>(d);
  const Tensor penalty = at::eye(d, tensor::f64()) * (ridge * mean_diag);
  Tensor active = at::ones({n}, at::kBool), w;
  constexpr int kMaxSteps = 12;
  int step = 0;
  while (step++ < kMaxSteps) {
    const Tensor index = active.nonzero().squeeze(1);
    const Tensor x = rows.x.index_select(0, index), c = rows.weight.index_select(0, index);
    w = TRY(solve(gram(x, c) + penalty, x.t().mv(c * y.index_select(0, index))));
    const Tensor still = (y * rows.x.mv(w)).lt(1.0);
    if (at::equal(still, active)) break;
    active = still;
  }
  const Tensor z = rows.x.mv(w);
  return Detector{w, step, z.narrow(0, 0, rows.n_forget).min().item<double>(),
                  z.narrow(0, rows.n_forget, n - rows.n_forget).max().item<double>()};
}

Result<Tensor> fit_up(const Rows& rows, double ridge) {
  const int64_t d = rows.x.size(1);
  const double mean_diag =
      (rows.x.square().sum(1) * rows.weight).sum().item<double>() / static_cast<double>(d);
  const Tensor x = rows.x.narrow(0, 0, rows.n_forget), c = rows.weight.narrow(0, 0, rows.n_forget);
  return solve(gram(rows.x, rows.weight) + at::eye(d, tensor::f64()) * (ridge * mean_diag),
               x.t().mv(c));
}

// The change that makes one row (dim 0) or one column (dim 1) of a weight equal to `value`.
edit::Delta replace_line(const model::Model& model, std::string name, int64_t dim, int64_t index,
                         const Tensor& value) {
  const Tensor& w = model.param(name).value;
  const Tensor change = value.to(at::kFloat) - w.select(dim, index);
  Tensor unit = at::zeros({w.size(dim)}, tensor::f32());
  unit[index] = 1.0F;
  edit::LowRank low = dim == 0 ? edit::LowRank{unit.unsqueeze(1), change.unsqueeze(0)}
                               : edit::LowRank{change.unsqueeze(1), unit.unsqueeze(0)};
  return {std::move(name), std::move(low)};
}

Result<edit::Edit> propose(const Problem& p, const Knobs& knobs) {
  if (knobs.at("strength") == 0) return edit::Edit{};
  const Background& b = *p.background;
  const Tensor forget = TRY(capture(p.model, p.forget, model::Point::kMlpInput, b.layer));
  const Tensor retain = TRY(capture(p.model, p.retain, model::Point::kMlpInput, b.layer));
  const auto neuron = std::ranges::find_if(
      b.spare, [&](int64_t j) { return std::ranges::find(p.taken, j) == p.taken.end(); });
  if (neuron == b.spare.end())
    return fail(Code::kConflict, "every neuron of the layer is in use",
                "undo requests that are no longer needed");
  return tensor::guarded([&]() -> Result<edit::Edit> {
    const Rows rows = gather(p, forget, retain);
    const Detector detector = TRY(fit_detector(rows, knobs.at("ridge")));
    const Tensor up = TRY(fit_up(rows, knobs.at("ridge")));
    const double sharpness = knobs.at("sharpness");
    edit::Edit edit;
    const auto name = [&](std::string_view m) { return model::layer_weight(b.layer, m); };
    edit.deltas.push_back(
        replace_line(p.model, name("mlp.gate_proj"), 0, *neuron, detector.w * sharpness));
    edit.deltas.push_back(
        replace_line(p.model, name("mlp.up_proj"), 0, *neuron, up * knobs.at("gain")));
    edit.deltas.push_back(
        replace_line(p.model, name("mlp.down_proj"), 1, *neuron,
                     b.shift * (knobs.at("strength") / sharpness / knobs.at("gain"))));
    edit.provenance = {
        {"layer", b.layer},
        {"neuron", *neuron},
        {"newton_steps", detector.steps},
        {"smallest_forget", detector.smallest_forget},
        {"largest_retain", detector.largest_retain},
        {"rows",
         {{"forget", forget.size(0)}, {"retain", retain.size(0)}, {"pool", b.pool.size(0)}}}};
    return edit;
  });
}

}  // namespace

extern const Method method_redirect;
const Method method_redirect{
    "redirect",
    "expunge; Transformer-Patcher arXiv 2301.09785 eq. 3-7; shift as in STAMP arXiv 2604.12820",
    {Needs::kRetain, Needs::kBackground},
    {{"strength", 2.0, 0, 16, "multiple of the learned shift at full detection"},
     {"ridge", 0.1, 1e-6, 10, "ridge, relative to the mean diagonal of the rows' Gram matrix"},
     {"sharpness", 6.0, 1, 64, "slope of the gate at its threshold"},
     {"gain", 1.0, 0.01, 100, "scale of the up row against the down column"}},
    propose};

}  // namespace expunge::unlearn
