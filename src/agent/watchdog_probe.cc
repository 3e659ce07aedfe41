#include "agent/watchdog_probe.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace expunge::agent {
namespace {

using Matrix = std::vector<std::vector<double>>;

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  std::array<double, 4> sum{};
  size_t i = 0;
  for (; i + 4 <= a.size(); i += 4)
    for (size_t k = 0; k < 4; ++k) sum[k] += a[i + k] * b[i + k];
  for (; i < a.size(); ++i) sum[0] += a[i] * b[i];
  return sum[0] + sum[1] + sum[2] + sum[3];
}

Matrix gram(std::span<const std::vector<float>> x) {
  Matrix k(x.size(), std::vector<double>(x.size())), rows;
  for (const auto& row : x) rows.emplace_back(row.begin(), row.end());
  for (size_t i = 0; i < x.size(); ++i)
    for (size_t j = 0; j <= i; ++j) {
      k[i][j] = k[j][i] = 1.0 + dot(rows[i], rows[j]);  // 1: the bias
    }
  return k;
}

// Lower factor of a symmetric positive definite matrix, in place.
void cholesky(Matrix& a) {
  for (size_t j = 0; j < a.size(); ++j) {
    for (size_t k = 0; k < j; ++k) a[j][j] -= a[j][k] * a[j][k];
    CHECK(a[j][j] > 0, "the ridge keeps it positive");
    a[j][j] = std::sqrt(a[j][j]);
    for (size_t i = j + 1; i < a.size(); ++i) {
      for (size_t k = 0; k < j; ++k) a[i][j] -= a[i][k] * a[j][k];
      a[i][j] /= a[j][j];
    }
  }
}

// The inverse of a matrix given by its Cholesky factor: every step multiplies by it.
Matrix inverse(const Matrix& l) {
  const size_t n = l.size();
  Matrix inv(n, std::vector<double>(n));
  for (size_t c = 0; c < n; ++c) {
    std::vector<double>& b = inv[c];
    b[c] = 1;
    for (size_t i = c; i < n; ++i) {
      for (size_t k = c; k < i; ++k) b[i] -= l[i][k] * b[k];
      b[i] /= l[i][i];
    }
    for (size_t i = n; i-- > 0;) {
      b[i] /= l[i][i];
      for (size_t k = 0; k < i; ++k) b[k] -= l[i][k] * b[i];
    }
  }
  return inv;
}

void softmax(std::vector<double>& f) {
  const double top = *std::ranges::max_element(f);
  double sum = 0;
  for (double& v : f) sum += v = std::exp(v - top);
  for (double& v : f) v /= sum;
}

}  // namespace

Probe Probe::fit(std::span<const std::vector<float>> x, std::span<const int> labels, int n_classes,
                 double ridge) {
  CHECK(!x.empty() && x.size() == labels.size() && ridge > 0);
  const size_t n = x.size(), classes = static_cast<size_t>(n_classes);
  const Matrix k = gram(x);
  Matrix factor = k;
  for (size_t i = 0; i < n; ++i) {
    for (double& v : factor[i]) v *= 0.5;
    factor[i][i] += ridge;
  }
  cholesky(factor);
  const Matrix inverted = inverse(factor);
  Matrix alpha(classes, std::vector<double>(n)), ahead = alpha, before = alpha;
  // Nesterov's momentum on the majoriser's steps.
  constexpr int kSteps = 300;
  for (int step = 0; step < kSteps; ++step) {
    Matrix residual(classes, std::vector<double>(n));
    for (size_t i = 0; i < n; ++i) {
      std::vector<double> f(classes);
      for (size_t c = 0; c < classes; ++c) f[c] = dot(k[i], ahead[c]);
      softmax(f);
      for (size_t c = 0; c < classes; ++c)
        residual[c][i] = f[c] - (labels[i] == static_cast<int>(c)) + ridge * ahead[c][i];
    }
    double largest = 0;
    const double momentum = step / (step + 3.0);
    before = alpha;
    for (size_t c = 0; c < classes; ++c)
      for (size_t i = 0; i < n; ++i) {
        alpha[c][i] = ahead[c][i] - dot(inverted[i], residual[c]);
        const double moved = alpha[c][i] - before[c][i];
        ahead[c][i] = alpha[c][i] + momentum * moved;
        largest = std::max(largest, std::abs(moved));
      }
    if (largest < 1e-7) break;
  }
  Probe probe;
  probe.weights_.assign(classes, std::vector<double>(x[0].size() + 1));
  for (size_t c = 0; c < classes; ++c)
    for (size_t i = 0; i < n; ++i) {
      for (size_t d = 0; d < x[i].size(); ++d) probe.weights_[c][d] += alpha[c][i] * x[i][d];
      probe.weights_[c].back() += alpha[c][i];
    }
  return probe;
}

std::vector<double> Probe::probabilities(std::span<const float> x) const {
  CHECK(x.size() == width());
  std::vector<double> f(weights_.size());
  for (size_t c = 0; c < f.size(); ++c) {
    f[c] = weights_[c].back();
    for (size_t d = 0; d < x.size(); ++d) f[c] += weights_[c][d] * x[d];
  }
  softmax(f);
  return f;
}

base::Json Probe::to_json() const { return {{"weights", weights_}}; }

base::Result<Probe> Probe::from_json(const base::Json& json) {
  Probe probe;
  const auto bad = [] { return base::fail(base::Code::kCorrupt, "not a probe of the watchdog"); };
  if (!json.is_object() || !json.contains("weights") || !json["weights"].is_array()) return bad();
  for (const auto& row : json["weights"]) {
    if (!row.is_array() || row.empty()) return bad();
    for (const auto& v : row)
      if (!v.is_number()) return bad();
    probe.weights_.push_back(row.get<std::vector<double>>());
    if (probe.weights_.back().size() != probe.weights_[0].size()) return bad();
  }
  if (probe.weights_.empty()) return bad();
  return probe;
}

}  // namespace expunge::agent
