#include "tensor/kernels/squares.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "tensor/kernels/pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/squares.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace expunge::tensor::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

void add_squares_target(const float* HWY_RESTRICT g, int64_t n, float* HWY_RESTRICT sums) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto x = hn::LoadU(d, g + i);
    hn::StoreU(hn::MulAdd(x, x, hn::LoadU(d, sums + i)), d, sums + i);
  }
  for (; i < n; ++i) sums[i] += g[i] * g[i];
}

// Σ of term(d, i) over i, D's lanes of it at a time; lanes are added to a double before their
// error grows.
template <class Term>
HWY_INLINE double sum_of(int64_t n, const Term& term) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  double total = 0;
  int64_t i = 0;
  while (i + lanes <= n) {
    auto sum = hn::Zero(d);
    const int64_t stop = std::min(n, i + 256 * lanes);
    for (; i + lanes <= stop; i += lanes) sum = hn::Add(sum, term(d, i));
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, sum)));
  }
  for (; i < n; ++i) total += static_cast<double>(hn::GetLane(term(one, i)));
  return total;
}

double squares_target(const float* HWY_RESTRICT g, int64_t n) {
  return sum_of(n, [&](auto d, int64_t i) {
    const auto x = hn::LoadU(d, g + i);
    return hn::Mul(x, x);
  });
}

double square_ratios_target(const float* HWY_RESTRICT g, const float* HWY_RESTRICT divisor,
                            int64_t n) {
  return sum_of(n, [&](auto d, int64_t i) {
    const auto x = hn::LoadU(d, g + i);
    return hn::Div(hn::Mul(x, x), hn::LoadU(d, divisor + i));
  });
}

}  // namespace
}  // namespace expunge::tensor::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace expunge::tensor::kernels {

HWY_EXPORT(add_squares_target);
HWY_EXPORT(squares_target);
HWY_EXPORT(square_ratios_target);

namespace {
constexpr int64_t kPart = int64_t{1} << 16;
}

double sum_of_squares(const float* g, int64_t n) {
  const int64_t n_parts = (n + kPart - 1) / kPart;
  std::vector<double> parts(static_cast<size_t>(n_parts));
  parallel_for(0, n_parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p)
      parts[static_cast<size_t>(p)] =
          HWY_DYNAMIC_DISPATCH(squares_target)(g + p * kPart, std::min(kPart, n - p * kPart));
  });
  return std::accumulate(parts.begin(), parts.end(), 0.0);
}

void add_squares(const float* g, int64_t n, float* sums) {
  parallel_for(0, n, kPart, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(add_squares_target)(g + begin, end - begin, sums + begin);
  });
}

void add_square_ratios(const float* g, const float* divisor, int64_t rows, int64_t columns,
                       double* sums) {
  const int64_t grain = std::max<int64_t>(1, kPart / std::max<int64_t>(1, columns));
  parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      sums[r] += HWY_DYNAMIC_DISPATCH(square_ratios_target)(g + r * columns, divisor + r * columns,
                                                            columns);
  });
}

}  // namespace expunge::tensor::kernels
#endif
