#include "verify/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string_view>
#include <vector>

namespace expunge::verify {
namespace {

using base::Code;
using base::fail;
using base::Result;

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

Result<std::vector<double>> sorted(std::span<const double> sample, std::string_view what) {
  if (sample.empty()) return fail(Code::kInvalid, fmt::format("{}: an empty sample", what));
  for (const double x : sample)
    if (!std::isfinite(x)) return fail(Code::kNumeric, fmt::format("{}: a value is {}", what, x));
  std::vector<double> values(sample.begin(), sample.end());
  std::ranges::sort(values);
  return values;
}

// max |i m - j n|, i and j the numbers of values up to a point: D n m, without rounding.
int64_t largest_gap(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<int64_t>(a.size()), m = static_cast<int64_t>(b.size());
  int64_t largest = 0;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const double x = std::min(a[i], b[j]);
    while (i < a.size() && a[i] == x) ++i;
    while (j < b.size() && b[j] == x) ++j;
    largest =
        std::max(largest, std::abs(static_cast<int64_t>(i) * m - static_cast<int64_t>(j) * n));
  }
  return largest;
}

// ln P(D >= h/n) for two samples of n: by reflection, P = 2 (A_0 - A_0 A_1 + A_0 A_1 A_2 - ...)
// with A_k = prod_{j<h} (n - kh - j) / (n + kh + j + 1) (Gnedenko and Korolyuk 1951; Hodges 1958,
// sec. 2). Only A_0 can be too small for a double.
double log_tail_equal(int64_t n, int64_t h) {
  double rest = 0;
  for (int64_t k = n / h; k > 0; --k) {
    double product = 1;
    for (int64_t j = 0; j < h; ++j)
      product *= static_cast<double>(n - k * h - j) / static_cast<double>(n + k * h + j + 1);
    rest = product * (1 - rest);
  }
  double log_first = 0;
  for (int64_t j = 0; j < h; ++j)
    log_first += std::log1p(-static_cast<double>(2 * j + 1) / static_cast<double>(n + j + 1));
  return std::log(2 * (1 - rest)) + log_first;
}

// P(D >= gap / (n m)): P(i, j), that a path from (0, 0) to (i, j) has touched |i m - j n| >= gap,
// is 1 there and else a mean of its two predecessors,
//   P(i, j) = (i P(i-1, j) + j P(i, j-1)) / (i + j),
// of positive terms only, so nothing cancels (Viehmann 2021, arXiv 2102.08037). `mix` is that mean
// on any representation of probabilities.
template <class Mix>
double tail_unequal(int64_t n, int64_t m, int64_t gap, double zero, double one, Mix mix) {
  std::vector<double> p(static_cast<size_t>(m) + 1, one);
  for (int64_t i = 0; i <= n; ++i) {
    // The inside, lo <= j <= hi; both bounds rise with i, so above hi all are still 1.
    const int64_t lo = i * m < gap ? 0 : (i * m - gap) / n + 1;
    const int64_t hi = std::min(m, (i * m + gap - 1) / n);
    double left = one;
    for (int64_t j = lo; j <= hi; ++j) {
      double& here = p[static_cast<size_t>(j)];
      here = left = i + j == 0 ? zero : mix(i, here, j, left);
    }
  }
  return p[static_cast<size_t>(m)];
}

double log_tail_unequal(int64_t n, int64_t m, int64_t gap) {
  const double plain = tail_unequal(n, m, gap, 0.0, 1.0, [](auto i, double a, auto j, double b) {
    return (static_cast<double>(i) * a + static_cast<double>(j) * b) / static_cast<double>(i + j);
  });
  // What underflows inside adds up to less than (n + m) 5e-324.
  if (plain > 1e-290) return std::log(plain);
  std::vector<double> logs(static_cast<size_t>(n + m) + 1, kMinusInfinity);
  for (size_t i = 1; i < logs.size(); ++i) logs[i] = std::log(static_cast<double>(i));
  const auto log_of = [&](int64_t i) { return logs[static_cast<size_t>(i)]; };
  return tail_unequal(n, m, gap, kMinusInfinity, 0.0, [&](auto i, double a, auto j, double b) {
    const double x = log_of(i) + a, y = log_of(j) + b;
    const double high = std::max(x, y), low = std::min(x, y);
    return low == kMinusInfinity ? high - log_of(i + j)
                                 : high + std::log1p(std::exp(low - high)) - log_of(i + j);
  });
}

}  // namespace

Result<Ks> ks_two_sample(std::span<const double> a, std::span<const double> b) {
  const std::vector<double> x = TRY(sorted(a, "Kolmogorov-Smirnov test"));
  const std::vector<double> y = TRY(sorted(b, "Kolmogorov-Smirnov test"));
  const auto n = static_cast<int64_t>(x.size()), m = static_cast<int64_t>(y.size());
  const double cells = static_cast<double>(n) * static_cast<double>(m);
  if (n != m && cells > kMaxKsCells)
    return fail(Code::kUnsupported,
                fmt::format("an exact Kolmogorov-Smirnov test of {} against {} values: the product "
                            "exceeds {:.0e}",
                            n, m, kMaxKsCells),
                "compare samples of equal size");
  const int64_t gap = largest_gap(x, y);
  if (gap == 0) return Ks{};
  const double log_p =
      std::min(0.0, n == m ? log_tail_equal(n, gap / n) : log_tail_unequal(n, m, gap));
  return Ks{static_cast<double>(gap) / cells, std::exp(log_p), log_p / std::log(10.0)};
}

Result<double> roc_auc(std::span<const double> negative, std::span<const double> positive) {
  const std::vector<double> below = TRY(sorted(negative, "area under ROC"));
  const std::vector<double> above = TRY(sorted(positive, "area under ROC"));
  uint64_t twice = 0;
  size_t less = 0, not_more = 0;
  for (const double x : above) {
    while (less < below.size() && below[less] < x) ++less;
    while (not_more < below.size() && below[not_more] <= x) ++not_more;
    twice += less + not_more;
  }
  return static_cast<double>(twice) / 2 /
         (static_cast<double>(below.size()) * static_cast<double>(above.size()));
}

double mean(std::span<const double> values) {
  CHECK(!values.empty());
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double harmonic_mean(std::span<const double> values) {
  CHECK(!values.empty());
  double sum = 0;
  for (const double v : values) {
    CHECK(v >= 0, "{}", v);
    sum += 1 / v;
  }
  return static_cast<double>(values.size()) / sum;  // 1/0 = inf makes it 0
}

}  // namespace expunge::verify
