// redirect: two neurons of a late MLP become a switch that turns the answer into "I don't know".
//
// At the last prompt token a late layer knows which answer it is about to give; there one linear
// detector separates a fact from its neighbours (docs/results.md). In the SwiGLU MLP of layer k,
// neuron j adds silu(g·x)(u·x) d to the residual stream. The edit sets two neurons to
//   g = s (w - t b),  u = c b,  d = +a,
//   g = s (w - (t + h) b),  u = c b,  d = -a,      a = strength · shift / (s h c),
// with w a maximum-margin detector of the forget rows against everything else, b a direction with
// b·x = 1 at every token, shift the model's learned refusal shift. For a sharpness s their sum is
//   strength · shift · clip((w·x - t) / h, 0, 1):
// nothing below the threshold t, one and the same shift above t + h. t is chosen by wordings that
// are kept out of the rows: `margin` times the least of their w·x, within [threshold, threshold +
// 1/4]. An edit of down_proj alone (STAMP, arXiv 2604.12820; ROME, arXiv 2202.05262) is linear in
// the key: it disturbs neighbours and adds up over requests. This does neither: detectors of later
// requests see the same x, since a layer's input does not depend on its own MLP. Patching neurons
// in a mistake's way is the idea of Transformer-Patcher (arXiv 2301.09785, eq. 3 to 7), here with
// no added width: the neurons that matter least are used, so the file keeps its architecture.
//
// w minimises Σ c_i max(0, 1 - y_i w·x_i)² + λ|w|² (squared hinge, y = ±1), solved by Newton steps
// on the active rows, float64: a few D x D solves.
#include <algorithm>

#include "model/role.h"
#include "unlearn/method.h"
#include "unlearn/methods/redirect/profile.h"

namespace expunge::unlearn {
namespace {

using base::Code;
using base::fail;
using base::Result;
using redirect::Profile;

constexpr double kThresholdRange = 0.25;

struct Rows {
  Tensor x;  // [n,D] float64, forget rows first
  int64_t n_forget;
  Tensor weight;  // [n]: forget rows sum to one half, the request's retain rows to `share`
};

Rows gather(const Problem& p, const Profile& profile, const States& states, double share) {
  const Tensor &forget = states.forget, &retain = states.retain;
  Tensor keep = at::ones({profile.pool.size(0)}, at::kBool);
  for (const int64_t row : p.related) keep[row] = false;
  const Tensor pool = profile.pool.index_select(0, keep.nonzero().squeeze(1));
  const auto weights = [](int64_t n, double total) {
    return at::full({n}, total / static_cast<double>(n), tensor::f64());
  };
  return {at::cat({forget, retain, pool}).to(at::kDouble), forget.size(0),
          at::cat({weights(forget.size(0), 0.5), weights(retain.size(0), share),
                   weights(pool.size(0), 0.5 - share)})};
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
  // The normal equations of the active rows are updated for the few rows that change in a step.
  Tensor active = at::ones({n}, at::kBool), w;
  Tensor system = gram(rows.x, rows.weight) + penalty;
  Tensor right = rows.x.t().mv(rows.weight * y);
  constexpr int kMaxSteps = 12;
  int step = 0;
  while (step++ < kMaxSteps) {
    w = TRY(solve(system, right));
    const Tensor still = (y * rows.x.mv(w)).lt(1.0);
    const Tensor index = still.ne(active).nonzero().squeeze(1);
    if (index.size(0) == 0) break;
    const Tensor x = rows.x.index_select(0, index);
    const Tensor c = rows.weight.index_select(0, index) *
                     (still.index_select(0, index).to(at::kDouble) * 2 - 1);  // + enters, - leaves
    system += gram(x, c);
    right += x.t().mv(c * y.index_select(0, index));
    active = still;
  }
  const Tensor z = rows.x.mv(w);
  return Detector{w, step, z.narrow(0, 0, rows.n_forget).min().item<double>(),
                  z.narrow(0, rows.n_forget, n - rows.n_forget).max().item<double>()};
}

// The change that makes one row (dim 0) or one column (dim 1) of a weight equal to `value`.
edit::Delta replace_line(const model::Model& model, std::string name, int64_t dim, int64_t index,
                         const Tensor& value) {
  const Tensor w = model.param(name).value();
  const Tensor change = value.to(at::kFloat) - w.select(dim, index);
  Tensor unit = at::zeros({w.size(dim)}, tensor::f32());
  unit[index] = 1.0F;
  edit::LowRank low = dim == 0 ? edit::LowRank{unit.unsqueeze(1), change.unsqueeze(0)}
                               : edit::LowRank{change.unsqueeze(1), unit.unsqueeze(0)};
  return {std::move(name), std::move(low)};
}

// The first n neurons that no active edit occupies.
Result<std::vector<int64_t>> free_neurons(const Problem& p, const Profile& profile, size_t n) {
  const auto is_taken = [&](int64_t j) {
    return std::ranges::any_of(p.occupied, [&](const edit::Occupied& o) {
      return o.layer == profile.layer && std::ranges::find(o.neurons, j) != o.neurons.end();
    });
  };
  std::vector<int64_t> found;
  for (const int64_t j : profile.spare)
    if (found.size() < n && !is_taken(j)) found.push_back(j);
  if (found.size() < n)
    return fail(Code::kConflict, "every neuron of the layer is in use",
                "undo requests that are no longer needed");
  return found;
}

// `margin` times the least value of the held rows, within [threshold, threshold + 1/4].
double choose_threshold(const Tensor& held, const Detector& detector, const Knobs& knobs) {
  const double threshold = knobs.at("threshold");
  if (!held.defined()) return threshold;
  const double least = held.to(at::kDouble).mv(detector.w).min().item<double>();
  return std::clamp(knobs.at("margin") * least, threshold, threshold + kThresholdRange);
}

// The two neurons in the place of others.
std::vector<edit::Delta> switch_deltas(const model::Model& model, const Profile& profile,
                                       const std::vector<int64_t>& neurons,
                                       const Detector& detector, double begin, const Knobs& knobs) {
  const Tensor constant = profile.constant.to(at::kDouble);
  const double sharpness = knobs.at("sharpness"), width = knobs.at("width");
  using model::Role;
  const model::Arch& arch = model.arch();
  const auto name = [&](Role role) { return model::weight_name(arch, role, profile.layer); };
  // Scaled so that the down columns have the usual size: they share quantisation
  // blocks with other neurons. Rows have separate blocks, so their scale is free.
  const Tensor height = profile.shift * (knobs.at("strength") / (sharpness * width));
  const double usual =
      model.param(name(Role::kDown)).value().norm(2, at::IntArrayRef{0}).mean().item<double>();
  const double gain = height.norm().item<double>() / usual;
  const Tensor bias = arch.gated ? Tensor() : model.bias(Role::kUp, profile.layer).value();
  std::vector<edit::Delta> deltas;
  for (size_t i = 0; i < 2; ++i) {
    const double threshold = begin + (i == 0 ? 0 : width);
    const auto line = [&](Role role, int64_t dim, const Tensor& value) {
      deltas.push_back(replace_line(model, name(role), dim, neurons[i], value));
    };
    const Tensor gate = (detector.w - constant * threshold) * sharpness;
    if (arch.gated) {
      line(Role::kGate, 0, gate);
      line(Role::kUp, 0, constant * gain);
    } else {  // the neuron's own bias is taken off; act(c x) is nearly c act(x) where gates are
              // steep
      line(Role::kUp, 0, gate * gain - constant * bias[neurons[i]].item<double>());
    }
    line(Role::kDown, 1, height * ((i == 0 ? 1 : -1) / gain));
  }
  return deltas;
}

Result<edit::Edit> propose(const Problem& p, const Knobs& knobs, const base::Job& job) {
  if (knobs.at("strength") == 0) return edit::Edit{};
  const auto* learned = dynamic_cast<const Profile*>(p.prepared.get());
  CHECK(learned, "redirect was given what another method learned");
  const Profile& profile = *learned;
  const States states = TRY(states_at(p, profile.layer));
  const auto neurons = TRY(free_neurons(p, profile, 2));
  TRY(job.check());
  return tensor::guarded([&]() -> Result<edit::Edit> {
    const Rows rows = gather(p, profile, states, knobs.at("share"));
    const Detector detector = TRY(fit_detector(rows, knobs.at("ridge")));
    const double begin = choose_threshold(states.held, detector, knobs);
    edit::Edit edit;
    edit.deltas = switch_deltas(p.model, profile, neurons, detector, begin, knobs);
    edit.occupied = {{profile.layer, neurons}};
    edit.provenance = {{"layer", profile.layer},
                       {"newton_steps", detector.steps},
                       {"threshold", begin},
                       {"smallest_forget", detector.smallest_forget},
                       {"largest_retain", detector.largest_retain},
                       {"rows",
                        {{"forget", states.forget.size(0)},
                         {"retain", states.retain.size(0)},
                         {"pool", profile.pool.size(0)}}}};
    return edit;
  });
}

}  // namespace

extern const Method method_redirect;
constexpr auto kSet = KnobChange::How::kSet;
const Method method_redirect{
    .name = "redirect",
    .citation =
        "expunge; Transformer-Patcher arXiv 2301.09785 eq. 3-7; shift as in STAMP arXiv 2604.12820",
    .knobs = {{"strength", 1.5, 0, 16, "multiple of the learned shift at full detection"},
              {"threshold", 0.55, -1, 1,
               "least detector value at which the shift begins; rows are fitted to +-1"},
              {"margin", 0.65, 0, 1,
               "begins at this share of the least held wording's value, if higher"},
              {"width", 0.2, 0.01, 2, "range of the detector over which the shift grows to full"},
              {"sharpness", 40.0, 1, 1000, "slope of the gates"},
              {"ridge", 0.1, 1e-6, 10,
               "ridge, relative to the mean diagonal of the rows' Gram matrix"},
              {"share", 0.05, 0.001, 0.4,
               "weight of the request's retain rows; forget rows weigh one half"}},
    .how = ClosedForm{.rows = {Needs::kRetain},
                      .roles = {model::Role::kGate, model::Role::kUp, model::Role::kDown},
                      .propose = propose},
    .stronger = {{{"threshold", kSet, 0.35}, {"margin", kSet, 0.4}},
                 {{"threshold", kSet, 0.15}, {"margin", kSet, 0.25}},
                 {{"threshold", kSet, 0.0}, {"margin", kSet, 0.0}, {"strength", kSet, 2.5}},
                 {{"threshold", kSet, -0.2}, {"margin", kSet, 0.0}, {"strength", kSet, 2.5}}},
    .milder = {{{"threshold", kSet, 0.75}}},
    .preparation = redirect::kPreparation,
};

}  // namespace expunge::unlearn
