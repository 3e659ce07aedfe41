// STAMP and STAMP-LR (RePAIR, arXiv 2604.12820): steering by a pseudo-inverse, forward passes only.
//
// The output projection W [D,F] of one MLP is changed. Rows are tokens: X [n,F] its input,
// O = X Wᵀ its output. Steering: O' = O + α v on forget rows, O' = O on retain rows, with
//   v = mean output on the refusal prompts − mean output on the forget rows.
//  - form=replace, the published equation:  W'ᵀ = (XᵀX + λI)⁻¹ Xᵀ O'
//  - STAMP-LR (rank r > 0):                 X ≈ A B,  X⁺ = Bᵀ(BBᵀ)⁻¹(AᵀA)⁻¹Aᵀ,  W'ᵀ = X⁺ O'
//  - form=delta, the default:               ΔWᵀ = X⁺(O' − O), full or STAMP-LR. The published form
//    replaces W by what X spans and destroys every other input; this one leaves them alone.
//  - form=metric: the least change in the metric of retain inputs (MEMIT, arXiv 2210.07229 eq. 14).
// The layer is by default the paper's: where the forget and the refusal outputs are farthest apart
// in cosine. Not the paper's: tokens that all prompts begin with are not rows (a causal model gives
// them one and the same X, which cannot be both steered and retained), and `directions`, which
// moves each forget row to its nearest point among the refusal outputs' principal directions.
#include <cmath>

#include "edit/solve.h"
#include "model/prefix_plan.h"
#include "model/role.h"
#include "unlearn/method.h"

namespace expunge::unlearn {
namespace {

using base::Code;
using base::fail;
using base::Result;

constexpr double kAll = 2, kLast = 1;       // knob rows
constexpr double kDelta = 0, kReplace = 1;  // knob form
constexpr double kMetricEpsilon = 0.03;     // docs: spec of the retain metric

struct Sets {
  std::vector<TokenSpan> forget, retain, refusal;
};

// The rows that the knob `rows` selects.
Sets choose_rows(const Problem& p, double rows) {
  Sets sets{p.forget, p.retain, p.refusal};
  if (rows == kLast)
    for (TokenSpan& row : sets.forget) row.position = -1, row.count = 1;
  if (rows != kAll) return sets;
  std::vector<model::PlanInput> prompts;
  for (const auto* set : {&sets.forget, &sets.retain, &sets.refusal})
    for (const TokenSpan& row : *set) prompts.push_back({row.ids, row.ids.size() - 1});
  const auto shared = static_cast<int64_t>(model::plan_prefixes(prompts).n_begun);
  for (auto* set : {&sets.forget, &sets.retain, &sets.refusal})
    for (TokenSpan& row : *set) {
      row.position = shared;
      row.count = static_cast<int64_t>(row.ids.size()) - shared;
    }
  return sets;
}

struct Site {
  int64_t layer;
  double distance;  // 1 − cosine of the mean outputs
};

double cosine_distance(const Tensor& a, const Tensor& b) {
  const Tensor x = a.to(at::kDouble), y = b.to(at::kDouble);
  return 1 - (x * y).sum().item<double>() /
                 std::max(1e-300, x.norm().item<double>() * y.norm().item<double>());
}

// The paper's rule. The gates keep what enters layer 1, so layer 0 is not a choice.
Result<Site> farthest_layer(const model::Model& model, const Sets& rows, const base::Job& job) {
  const auto forget = TRY(capture_layers(model, rows.forget, model::Point::kMlpOutput, job));
  const auto refusal = TRY(capture_layers(model, rows.refusal, model::Point::kMlpOutput, job));
  Site best{-1, -1};
  for (size_t layer = 1; layer < forget.size(); ++layer) {
    const double distance = cosine_distance(forget[layer].mean(0), refusal[layer].mean(0));
    if (distance > best.distance) best = {static_cast<int64_t>(layer), distance};
  }
  if (best.layer < 0)
    return fail(Code::kNumeric, "no layer has a finite distance of forget and refusal outputs");
  return best;
}

Result<Site> choose_site(const model::Model& model, const Sets& rows, double knob,
                         const base::Job& job) {
  const int64_t n_layers = model.arch().n_layers;
  if (knob < 0) return farthest_layer(model, rows, job);
  const auto layer = static_cast<int64_t>(knob);
  if (layer < 1 || layer >= n_layers)
    return fail(Code::kUsage,
                fmt::format("layer is {}, expected 1 to {}, or -1", layer, n_layers - 1),
                "-1 takes the layer where forget and refusal outputs differ most");
  const Tensor forget = TRY(capture(model, rows.forget, model::Point::kMlpOutput, layer, job));
  const Tensor refusal = TRY(capture(model, rows.refusal, model::Point::kMlpOutput, layer, job));
  return Site{layer, cosine_distance(forget.mean(0), refusal.mean(0))};
}

// What each forget row's output is moved by at strength 1, [n,D].
Tensor steering(const Tensor& forget, const Tensor& refusal, int64_t n_directions) {
  const Tensor mean = refusal.mean(0);  // [D]
  if (n_directions == 0) return (mean - forget.mean(0)).expand_as(forget);
  const auto [u, sigma, vh] = at::linalg_svd(refusal - mean, /*full_matrices=*/false);
  const Tensor basis = vh.narrow(0, 0, std::min(n_directions, vh.size(0)));  // [k,D]
  const Tensor offset = forget - mean;
  return offset.mm(basis.t()).mm(basis) - offset;
}

// Of the second moments of what enters the layer's down_proj on the request's retain tokens.
Result<edit::InputMetric> retain_metric(const Tensor& keys) {
  return edit::InputMetric::from_moments(keys.t().mm(keys), static_cast<double>(keys.size(0)),
                                         kMetricEpsilon);
}

struct Change {
  std::variant<edit::LowRank, edit::Dense> value;
  double residual, condition;
};

struct System {
  Tensor x, targets, change, w;  // X [n,F], O' [n,D], O' − O [n,D], W [D,F]; float64
  Tensor retain;                 // the retain rows of X
};

Result<Change> solve(const Knobs& knobs, const System& s) {
  const double form = knobs.at("form"), ridge = knobs.at("ridge");
  const auto rank = static_cast<int64_t>(knobs.at("rank"));
  if (form == kReplace) {
    auto r = TRY(edit::solve_replace(s.x, s.targets, s.w, ridge, rank));
    return Change{std::move(r.delta), r.residual, r.condition};
  }
  if (form != kDelta && rank > 0)
    return fail(Code::kUsage, fmt::format("rank is {}, expected 0 with form=metric", rank),
                "STAMP-LR is for form=delta and form=replace");
  auto r = form == kDelta
               ? rank > 0 ? TRY(edit::solve_low_rank(s.x, s.change, rank))
                          : TRY(edit::solve_ridge(s.x, s.change, ridge))
               : TRY(edit::solve_in_metric(TRY(retain_metric(s.retain)), s.x, s.change, ridge));
  return Change{std::move(r.delta), r.residual, r.condition};
}

Result<edit::Edit> propose(const Problem& p, const Knobs& knobs, const base::Job& job) {
  // The published form changes the weight even then; without steering there is no edit.
  if (knobs.at("strength") == 0) return edit::Edit{};
  for (const char* whole : {"rows", "rank", "directions", "layer"})
    if (knobs.at(whole) != std::floor(knobs.at(whole)))
      return fail(Code::kUsage,
                  fmt::format("{} is {}, expected a whole number", whole, knobs.at(whole)));
  const Sets rows = choose_rows(p, knobs.at("rows"));
  const Site site = TRY(choose_site(p.model, rows, knobs.at("layer"), job));
  const auto inputs = [&](const std::vector<TokenSpan>& set) -> Result<Tensor> {
    return TRY(capture(p.model, set, model::Point::kDownInput, site.layer, job)).to(at::kDouble);
  };
  const Tensor forget = TRY(inputs(rows.forget)), retain = TRY(inputs(rows.retain)),
               refusal = TRY(inputs(rows.refusal));
  TRY(job.check());
  return tensor::guarded([&]() -> Result<edit::Edit> {
    const std::string name = model::weight_name(p.model.arch(), model::Role::kDown, site.layer);
    System s;
    s.w = p.model.param(name).value().to(at::kDouble);
    s.retain = retain;
    s.x = at::cat({forget, retain});
    const Tensor outputs = s.x.mm(s.w.t());  // [n,D]
    s.change = at::zeros_like(outputs);
    s.change.narrow(0, 0, forget.size(0))
        .copy_(steering(forget.mm(s.w.t()), refusal.mm(s.w.t()),
                        static_cast<int64_t>(knobs.at("directions"))) *
               knobs.at("strength"));
    s.targets = outputs + s.change;
    Change change = TRY(solve(knobs, s));
    edit::Edit edit;
    edit.deltas.push_back({name, std::move(change.value)});
    edit.provenance = {
        {"layer", site.layer},
        {"layer_distance", site.distance},
        {"residual", change.residual},
        {"condition", change.condition},
        {"rows",
         {{"forget", forget.size(0)}, {"retain", retain.size(0)}, {"refusal", refusal.size(0)}}}};
    return edit;
  });
}

}  // namespace

extern const Method method_stamp;
constexpr auto kTimes = KnobChange::How::kTimes;
const Method method_stamp{
    .name = "stamp",
    .citation =
        "RePAIR, arXiv 2604.12820: STAMP (closed form) and STAMP-LR (factorised pseudo-inverse)",
    .knobs = {{"strength", 4.0, 0, 64, "alpha: multiple of the refusal minus the forget output"},
              {"rank", 0, 0, 4096, "STAMP-LR's rank; 0 solves the full system"},
              {"form",
               kDelta,
               0,
               2,
               "the weight's change, the published replacement, or the change in the retain metric",
               {"delta", "replace", "metric"}},
              {"rows", 0, 0, 2,
               "forget tokens: 0 as the request names them, 1 last of the prompt, 2 all"},
              {"layer", -1, -1, 1023,
               "edited layer; -1 is where forget and refusal outputs differ most"},
              {"directions", 0, 0, 64,
               "0 steers by the mean vector, else to that many refusal directions"},
              {"ridge", 0.1, 0, 100,
               "lambda, relative to the mean diagonal of the rows' Gram matrix"}},
    .how = ClosedForm{.rows = {Needs::kRetain, Needs::kRefusal},
                      .roles = {model::Role::kDown},
                      .propose = propose},
    .stronger = {{{"strength", kTimes, 1.7}}, {{"strength", kTimes, 3.0}}},
    .milder = {{{"strength", kTimes, 0.7}}, {{"strength", kTimes, 0.5}}},
};

}  // namespace expunge::unlearn
