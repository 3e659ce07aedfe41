// Identities of the closed-form solves, in float64 against independent formulas.
#include "edit/solve.h"

#include <gmock/gmock.h>

#include <cmath>

#include "tiny.h"

namespace expunge::edit {
namespace {

using ::testing::HasSubstr;

Tensor random_f64(uint64_t seed, int64_t rows, int64_t columns) {
  tensor::start(1);  // tiny systems
  std::mt19937_64 rng(seed);
  return tests::random_tensor(rng, {rows, columns}, 1).to(at::kDouble);
}

Tensor product(const LowRank& low) { return low.u.to(at::kDouble).mm(low.s.to(at::kDouble)); }

double relative(const Tensor& got, const Tensor& expected) {
  return (got - expected).norm().item<double>() / expected.norm().item<double>();
}

double mean_diagonal(const Tensor& gram) { return gram.diagonal().mean().item<double>(); }

// The primal ridge solution, written out: (XᵀX + λI)⁻¹XᵀR with λ absolute.
Tensor primal(const Tensor& x, const Tensor& r, const Tensor& penalty) {
  return at::linalg_solve(x.t().mm(x) + penalty, x.t().mm(r));  // [F,D]
}

Tensor identity(int64_t n) { return at::eye(n, tensor::f64()); }

// Rows and widths around the sizes where a solve changes its shape.
struct Case {
  int64_t rows, in, out;
};
const Case kCases[] = {{1, 31, 5}, {31, 32, 7}, {33, 32, 33}, {70, 24, 11}};
// Factors are rounded to float32 once each.
constexpr double kFloat32 = 3e-7;

TEST(SolveRidge, EqualsThePrimalSolution) {
  for (const auto& [rows, in, out] : kCases) {
    const Tensor x = random_f64(1, rows, in), r = random_f64(2, rows, out);
    for (const double ridge : {1e-3, 0.1, 10.0}) {
      const Solution s = solve_ridge(x, r, ridge).value();
      const double lambda = ridge * mean_diagonal(x.mm(x.t()));
      const Tensor expected = primal(x, r, identity(in) * lambda);
      EXPECT_LT(relative(product(s.delta), expected.t()), kFloat32) << rows << " " << ridge;
      const double residual = (x.mm(expected) - r).norm().item<double>() / r.norm().item<double>();
      EXPECT_NEAR(s.residual, residual, 1e-10);
    }
  }
}

// XᵀXΔ + λΔ = XᵀR is what ridge regression requires; checked in float64 on the dual solution
// itself, which the residual reports.
TEST(SolveRidge, SatisfiesItsNormalEquations) {
  const Tensor x = random_f64(3, 20, 40), r = random_f64(4, 20, 6);
  const double lambda = 0.05 * mean_diagonal(x.mm(x.t()));
  const Tensor delta = primal(x, r, identity(40) * lambda);
  const Tensor dual = x.t().mm(at::linalg_solve(x.mm(x.t()) + identity(20) * lambda, r));
  EXPECT_LT(relative(x.t().mm(x).mm(dual) + dual * lambda, x.t().mm(r)), 1e-10);
  EXPECT_LT(relative(dual, delta), 1e-10);
  EXPECT_NEAR(solve_ridge(x, r, 0.05)->residual,
              (x.mm(dual) - r).norm().item<double>() / r.norm().item<double>(), 1e-12);
}

TEST(SolveRidge, WithoutRidgeAnswersExactly) {
  const Tensor x = random_f64(5, 12, 40), r = random_f64(6, 12, 6);
  const Solution s = solve_ridge(x, r, 0).value();
  EXPECT_LT(s.residual, 1e-10);
  EXPECT_LT(relative(x.mm(product(s.delta).t()), r), 1e-5);
}

TEST(SolveRidge, ZeroTargetsCostNoRank) {
  const Tensor x = random_f64(7, 30, 40);
  Tensor r = at::zeros({30, 16}, tensor::f64());
  r.narrow(0, 4, 3).copy_(random_f64(8, 3, 16));
  const Solution s = solve_ridge(x, r, 0.01).value();
  EXPECT_EQ(s.delta.u.size(1), 3);
  EXPECT_EQ(s.delta.s.size(0), 3);
  const Tensor expected = primal(x, r, identity(40) * (0.01 * mean_diagonal(x.mm(x.t()))));
  EXPECT_LT(relative(product(s.delta), expected.t()), kFloat32);
  // One target shared by many rows is one direction.
  const Tensor shared = at::zeros({30, 16}, tensor::f64()) + random_f64(9, 1, 16);
  EXPECT_EQ(solve_ridge(x, shared, 0.01)->delta.u.size(1), 1);
}

TEST(SolveRidge, NoWantedChangeIsNoChange) {
  const Solution s =
      solve_ridge(random_f64(1, 5, 9), at::zeros({5, 4}, tensor::f64()), 0.1).value();
  EXPECT_EQ(product(s.delta).abs().max().item<double>(), 0);
  EXPECT_EQ(s.residual, 0);
}

TEST(SolveRidge, ReportsTheConditionOfItsSystem) {
  const Tensor x = at::diag(tensor::from_floats({3, 2, 1}, {3}).to(at::kDouble));
  const Solution s = solve_ridge(x, identity(3), 0).value();
  EXPECT_NEAR(s.condition, 9.0, 1e-9);  // of X Xᵀ = diag(9, 4, 1)
}

TEST(SolveRidge, SingularSystemNamesTheRidge) {
  Tensor x = random_f64(10, 6, 20);
  x[5] = x[0];  // the same key twice
  const auto s = solve_ridge(x, random_f64(11, 6, 3), 0);
  ASSERT_FALSE(s);
  EXPECT_EQ(s.error().code, base::Code::kNumeric);
  EXPECT_THAT(s.error().message, HasSubstr("singular"));
  EXPECT_THAT(s.error().hint, HasSubstr("ridge"));
  EXPECT_TRUE(solve_ridge(x, random_f64(11, 6, 3), 0.01));
}

TEST(Solve, RefusesBadRows) {
  const Tensor x = random_f64(1, 4, 8), r = random_f64(2, 4, 3);
  EXPECT_EQ(solve_ridge(x.narrow(0, 0, 0), r.narrow(0, 0, 0), 0.1).error().code,
            base::Code::kInvalid);
  const auto uneven = solve_ridge(x, r.narrow(0, 0, 3), 0.1);
  ASSERT_FALSE(uneven);
  EXPECT_THAT(uneven.error().message, HasSubstr("4 input rows for 3 target rows"));
  Tensor broken = x.clone();
  broken[2][1] = std::nan("");
  EXPECT_EQ(solve_ridge(broken, r, 0.1).error().code, base::Code::kNumeric);
  EXPECT_EQ(solve_low_rank(broken, r, 2).error().code, base::Code::kNumeric);
  EXPECT_EQ(solve_replace(broken, r, random_f64(3, 3, 8), 0.1, 0).error().code,
            base::Code::kNumeric);
}

// B (BBᵀ)⁻¹(AᵀA)⁻¹Aᵀ from a factorisation X = A B of another kind than the solver's.
TEST(SolveLowRank, EqualsTheFactorisedPseudoInverse) {
  const int64_t rank = 5;
  for (const int64_t rows : {30, 90}) {  // fewer than inputs, and more
    const Tensor a = random_f64(20, rows, rank), b = random_f64(21, rank, 40);
    const Tensor x = a.mm(b), r = random_f64(22, rows, 6);
    const Tensor inverse =
        b.t().mm(at::linalg_solve(b.mm(b.t()), at::linalg_solve(a.t().mm(a), a.t())));  // [F,n]
    const Tensor expected = inverse.mm(r);
    for (const int64_t asked : {rank, rank + 20}) {  // directions that X lacks are not inverted
      const Solution s = solve_low_rank(x, r, asked).value();
      EXPECT_LT(relative(product(s.delta), expected.t()), kFloat32);
      EXPECT_NEAR(s.residual, (x.mm(expected) - r).norm().item<double>() / r.norm().item<double>(),
                  1e-10);
    }
  }
}

TEST(SolveLowRank, FullRankEqualsRidgeWithoutRidge) {
  const Tensor x = random_f64(23, 10, 30), r = random_f64(24, 10, 6);
  EXPECT_LT(
      relative(product(solve_low_rank(x, r, 10)->delta), product(solve_ridge(x, r, 0)->delta)),
      1e-6);
}

TEST(SolveLowRank, TruncationKeepsTheLargestDirections) {
  const Tensor x = random_f64(25, 20, 30), r = random_f64(26, 20, 6);
  double last = 2;
  for (const int64_t rank : {1, 4, 12, 20}) {
    const Solution s = solve_low_rank(x, r, rank).value();
    EXPECT_LE(s.delta.u.size(1), rank);
    EXPECT_LT(s.residual, last);
    last = s.residual;
  }
  EXPECT_LT(last, 1e-10);
  EXPECT_FALSE(solve_low_rank(at::zeros_like(x), r, 3));
}

TEST(SolveReplace, EqualsThePapersEquation) {
  for (const auto& [rows, in, out] : kCases) {
    const Tensor x = random_f64(30, rows, in), targets = random_f64(31, rows, out);
    const Tensor w = random_f64(32, out, in);
    const double lambda = 0.1 * mean_diagonal(x.t().mm(x));
    const Tensor expected = primal(x, targets, identity(in) * lambda).t() - w;
    const Replacement s = solve_replace(x, targets, w, 0.1, 0).value();
    EXPECT_LT(relative(s.delta.value.to(at::kDouble), expected), 1e-6) << rows;
  }
}

// The published form's defect: what lies outside the span of X is lost; the delta form leaves it.
TEST(SolveReplace, DestroysInputsOutsideTheRowsAndDeltaDoesNot) {
  const Tensor x = random_f64(33, 8, 40), w = random_f64(34, 6, 40);
  const Tensor outputs = x.mm(w.t());
  Tensor targets = outputs.clone();
  targets.narrow(0, 0, 2).add_(1.0);
  const Tensor basis = std::get<2>(at::linalg_svd(x, /*full_matrices=*/false));  // [8,F]
  Tensor unseen = random_f64(35, 5, 40);
  unseen = unseen - unseen.mm(basis.t()).mm(basis);
  const Tensor replaced = w + solve_replace(x, targets, w, 1e-6, 0)->delta.value.to(at::kDouble);
  const Tensor changed = w + product(solve_ridge(x, targets - outputs, 1e-6)->delta);
  EXPECT_LT(relative(x.mm(replaced.t()), targets), 1e-4);
  EXPECT_LT(relative(x.mm(changed.t()), targets), 1e-4);
  EXPECT_GT(relative(unseen.mm(replaced.t()), unseen.mm(w.t())), 0.999);
  EXPECT_LT(relative(unseen.mm(changed.t()), unseen.mm(w.t())), 1e-6);
  // Rows as many as inputs: nothing lies outside, and the two forms agree.
  const Tensor full = random_f64(36, 60, 40), goals = full.mm(w.t()) + random_f64(37, 60, 6) * 0.1;
  EXPECT_LT(relative(w + solve_replace(full, goals, w, 1e-9, 0)->delta.value.to(at::kDouble),
                     w + product(solve_low_rank(full, goals - full.mm(w.t()), 40)->delta)),
            1e-6);
}

TEST(SolveInMetric, EqualsThePrimalSolution) {
  const Tensor retained = random_f64(40, 50, 24);
  const Tensor moments = retained.t().mm(retained);
  const InputMetric metric = InputMetric::from_moments(moments, 50, 0.03).value();
  const Tensor c = moments / 50;
  const Tensor a = c + identity(24) * (0.03 * mean_diagonal(c));
  EXPECT_LT(relative(metric.factor().mm(metric.factor().t()), a), 1e-12);
  for (const int64_t rows : {1, 7, 40}) {
    const Tensor x = random_f64(41, rows, 24), r = random_f64(42, rows, 6);
    const double lambda = 0.1 * mean_diagonal(x.mm(at::linalg_solve(a, x.t())));
    const Tensor expected = primal(x, r, a * lambda);
    const Solution s = solve_in_metric(metric, x, r, 0.1).value();
    EXPECT_LT(relative(product(s.delta), expected.t()), kFloat32) << rows;
    EXPECT_NEAR(s.residual, (x.mm(expected) - r).norm().item<double>() / r.norm().item<double>(),
                1e-10);
  }
}

// With the same result on the forget rows, the metric's edit moves the retained rows less.
TEST(SolveInMetric, SparesWhatTheMetricKnows) {
  const Tensor retained = random_f64(43, 60, 8).mm(random_f64(44, 8, 40));
  const Tensor x = random_f64(45, 3, 40), r = random_f64(46, 3, 6);
  const InputMetric metric = InputMetric::from_moments(retained.t().mm(retained), 60, 0.01).value();
  const auto moved = [&](const Solution& s) {
    return retained.mm(product(s.delta).t()).norm().item<double>();
  };
  const Solution plain = solve_ridge(x, r, 0).value(),
                 spared = solve_in_metric(metric, x, r, 0).value();
  EXPECT_LT(spared.residual, 1e-9);
  EXPECT_LT(moved(spared), 0.2 * moved(plain));
}

TEST(InputMetric, RefusesWhatIsNoCovariance) {
  EXPECT_FALSE(InputMetric::from_moments(identity(4), 0, 0.1));
  const auto negative = InputMetric::from_moments(-identity(4), 1, 0.1);
  ASSERT_FALSE(negative);
  EXPECT_EQ(negative.error().code, base::Code::kNumeric);
}

}  // namespace
}  // namespace expunge::edit
