#include "edit/solve.h"

namespace expunge::edit {
namespace {

using base::Code;

Tensor to_f64(const Tensor& t) { return t.to(at::kDouble); }

base::Status check_rows(const Tensor& x, const Tensor& r) {
  if (x.size(0) == 0) return base::fail(Code::kInvalid, "a solve needs at least one row");
  if (x.size(0) != r.size(0))
    return base::fail(Code::kInvalid,
                      fmt::format("{} input rows for {} target rows", x.size(0), r.size(0)));
  if (!tensor::all_finite(x) || !tensor::all_finite(r))
    return base::fail(Code::kNumeric, "activations hold NaN or infinity",
                      "is the model's file damaged?");
  return {};
}

// (G + λ·mean_diag·I)⁻¹ R for a symmetric G [n,n].
struct Solved {
  Tensor value;
  double condition;
};
base::Result<Solved> solve_gram(const Tensor& gram, const Tensor& r, double ridge) {
  const int64_t n = gram.size(0);
  const double scale = gram.diagonal().mean().item<double>();
  const Tensor system = gram + at::eye(n, tensor::f64()) * (ridge * scale);
  const auto [factor, info] = at::linalg_cholesky_ex(system);
  if (info.item<int>() != 0)
    return base::fail(Code::kNumeric,
                      fmt::format("singular system of {} rows at ridge {}", n, ridge),
                      "raise the ridge");
  return Solved{at::cholesky_solve(r, factor), at::linalg_cond(system).item<double>()};
}

double relative_residual(const Tensor& x, const Tensor& delta_t, const Tensor& r) {
  const double norm = r.norm().item<double>();
  return norm > 0 ? (x.mm(delta_t) - r).norm().item<double>() / norm : 0;
}

// Factors of ΔWᵀ [F,D], whose rows lie in the row space of R: two small SVDs instead of a large
// one. The rank is that of the change, at most the number of non-zero targets.
LowRank as_factors(const Tensor& delta_t, const Tensor& r) {
  constexpr double kFloor = 1e-12;  // of the largest singular value
  const auto rank_of = [](const Tensor& sigma) {
    return sigma.gt(sigma[0] * kFloor).sum().item<int64_t>();
  };
  const Tensor nonzero = r.abs().sum(1).gt(0).nonzero().squeeze(1);
  if (nonzero.size(0) == 0)
    return {at::zeros({delta_t.size(1), 1}, tensor::f32()),
            at::zeros({1, delta_t.size(0)}, tensor::f32())};
  const auto [ur, sr, directions] =
      at::linalg_svd(r.index_select(0, nonzero), /*full_matrices=*/false);
  const Tensor basis = directions.narrow(0, 0, rank_of(sr));  // [k,D]
  const auto [u, sigma, vh] =
      at::linalg_svd(delta_t.mm(basis.t()), /*full_matrices=*/false);  // of [F,k]
  const int64_t kept = std::max<int64_t>(1, rank_of(sigma));
  const Tensor root = sigma.narrow(0, 0, kept).sqrt();
  return {(vh.narrow(0, 0, kept).mm(basis) * root.unsqueeze(1)).t().contiguous().to(at::kFloat),
          (u.narrow(1, 0, kept) * root).t().contiguous().to(at::kFloat)};
}

// STAMP-LR's pseudo-inverse X⁺ = Bᵀ(BBᵀ)⁻¹(AᵀA)⁻¹Aᵀ with A = U_r Σ_r, B = V_rᵀ, times R. A tall X
// has the singular values and right vectors of the R of its QR.
base::Result<Solved> low_rank_solve(const Tensor& x, const Tensor& r, int64_t rank) {
  const Tensor square = x.size(0) > x.size(1) ? std::get<1>(at::linalg_qr(x, /*mode=*/"r")) : x;
  const auto [u, sigma, vh] = at::linalg_svd(square, /*full_matrices=*/false);
  const double top = sigma[0].item<double>();
  const int64_t kept = std::min(rank, sigma.gt(top * 1e-10).sum().item<int64_t>());
  if (kept == 0) return base::fail(Code::kNumeric, "the rows are all zero");
  const Tensor s = sigma.narrow(0, 0, kept);
  const Tensor v = vh.narrow(0, 0, kept).t() / s;  // [F,r]
  const double ratio = top / s[kept - 1].item<double>();
  return Solved{v.mm(x.mm(v).t().mm(r)), ratio * ratio};  // [F,D]
}

// (XᵀX + λI)⁻¹XᵀR = Xᵀ(XXᵀ + λI)⁻¹R, λ = ridge times the mean diagonal of XXᵀ; the smaller of the
// two systems is solved -> [F,D].
base::Result<Solved> ridge_solve(const Tensor& x, const Tensor& r, double ridge) {
  const auto n = static_cast<double>(x.size(0)), f = static_cast<double>(x.size(1));
  if (x.size(0) > x.size(1)) return solve_gram(x.t().mm(x), x.t().mm(r), ridge * f / n);
  Solved y = TRY(solve_gram(x.mm(x.t()), r, ridge));
  y.value = x.t().mm(y.value);
  return y;
}

}  // namespace

base::Result<Solution> solve_ridge(const Tensor& x, const Tensor& r, double ridge) {
  TRY(check_rows(x, r));
  const Tensor xd = to_f64(x), rd = to_f64(r);
  const Solved y = TRY(ridge_solve(xd, rd, ridge));
  return Solution{as_factors(y.value, rd), relative_residual(xd, y.value, rd), y.condition};
}

base::Result<Solution> solve_low_rank(const Tensor& x, const Tensor& r, int64_t rank) {
  TRY(check_rows(x, r));
  const Tensor xd = to_f64(x), rd = to_f64(r);
  const Solved y = TRY(low_rank_solve(xd, rd, rank));
  return Solution{as_factors(y.value, rd), relative_residual(xd, y.value, rd), y.condition};
}

base::Result<Replacement> solve_replace(const Tensor& x, const Tensor& targets, const Tensor& w,
                                        double ridge, int64_t rank) {
  TRY(check_rows(x, targets));
  const Tensor xd = to_f64(x), od = to_f64(targets);
  // The mean diagonal that scales λ is that of XᵀX here, as in the paper's form.
  const double trace_ratio = static_cast<double>(xd.size(0)) / static_cast<double>(xd.size(1));
  const Solved y =
      rank > 0 ? TRY(low_rank_solve(xd, od, rank)) : TRY(ridge_solve(xd, od, ridge * trace_ratio));
  return Replacement{Dense{(y.value.t() - to_f64(w)).contiguous().to(at::kFloat)},
                     relative_residual(xd, y.value, od), y.condition};
}

base::Result<InputMetric> InputMetric::from_moments(const Tensor& second_moment, double count,
                                                    double epsilon) {
  if (count <= 0) return base::fail(Code::kInvalid, "a metric needs at least one row");
  Tensor a = to_f64(second_moment) / count;  // [F,F]
  a = a + at::eye(a.size(0), tensor::f64()) * (epsilon * a.diagonal().mean().item<double>());
  const auto [factor, info] = at::linalg_cholesky_ex(a);
  if (info.item<int>() != 0)
    return base::fail(Code::kNumeric, "the retain covariance is not positive definite",
                      "use more retain text or a larger epsilon");
  return InputMetric(factor);
}

Tensor InputMetric::inverse_times(const Tensor& x) const { return at::cholesky_solve(x, factor_); }

base::Result<Solution> solve_in_metric(const InputMetric& metric, const Tensor& x, const Tensor& r,
                                       double ridge) {
  TRY(check_rows(x, r));
  const Tensor xd = to_f64(x), rd = to_f64(r);
  const Tensor solved = metric.inverse_times(xd.t().contiguous());  // [F,n]
  const Solved y = TRY(solve_gram(xd.mm(solved), rd, ridge));
  const Tensor delta_t = solved.mm(y.value);  // [F,D]
  return Solution{as_factors(delta_t, rd), relative_residual(xd, delta_t, rd), y.condition};
}

}  // namespace expunge::edit
