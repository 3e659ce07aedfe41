// Closed-form solves for linear layers, in float64. Rows are tokens: X [n,F] inputs of the layer,
// R [n,D] wanted change of its output. W is stored [D,F], so every ΔW is [D,F].
#pragma once

#include "edit/edit.h"

namespace expunge::edit {

struct Solution {
  LowRank delta;     // float32
  double residual;   // |X ΔWᵀ − R| / |R|, reached in float64 before rounding
  double condition;  // of the system that was solved
};

// ΔWᵀ = Xᵀ (X Xᵀ + λ·mean_diag·I)⁻¹ R, the dual of ridge regression (STAMP in delta form, with
// R = O' − O; arXiv 2604.12820). Rank n at most; rows of R that are zero cost no rank.
base::Result<Solution> solve_ridge(const Tensor& x, const Tensor& r, double ridge);

// STAMP-LR: X ≈ A B by truncated SVD of rank r, X⁺ = Bᵀ(BBᵀ)⁻¹(AᵀA)⁻¹Aᵀ; ΔWᵀ = X⁺ R.
base::Result<Solution> solve_low_rank(const Tensor& x, const Tensor& r, int64_t rank);

// The paper's literal equation, which replaces the weight: Wᵀ_new = (XᵀX + λI)⁻¹Xᵀ O'.
// rank 0: full; else STAMP-LR's pseudo-inverse. Returned as the dense change W_new − W.
struct Replacement {
  Dense delta;
  double residual;
  double condition;
};
base::Result<Replacement> solve_replace(const Tensor& x, const Tensor& targets, const Tensor& w,
                                        double ridge, int64_t rank);

// A metric on layer inputs: A = C/N + ε·mean_diag·I from the second moments of retain inputs,
// factorised once (Cholesky, float64).
class InputMetric {
 public:
  static base::Result<InputMetric> from_moments(const Tensor& second_moment, double count,
                                                double epsilon);
  Tensor inverse_times(const Tensor& x) const;      // A⁻¹ X: [F,n] -> [F,n], float64
  const Tensor& factor() const { return factor_; }  // lower Cholesky factor [F,F]

 private:
  explicit InputMetric(Tensor factor) : factor_(std::move(factor)) {}
  Tensor factor_;
};

// ΔWᵀ = A⁻¹Xᵀ (X A⁻¹ Xᵀ + λ·mean_diag·I)⁻¹ R: the least change in the metric that produces R
// (Woodbury; the covariance-metric form of ROME and MEMIT, arXiv 2202.05262 and 2210.07229).
base::Result<Solution> solve_in_metric(const InputMetric& metric, const Tensor& x, const Tensor& r,
                                       double ridge);

}  // namespace expunge::edit
