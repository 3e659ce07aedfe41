#include "tensor/kernels/softmax_stats.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/kernels/pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/softmax_stats.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace expunge::tensor::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

float largest_target(const float* x, int64_t n) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  float largest = x[0];
  int64_t i = 0;
  if (n >= lanes) {
    auto most = hn::LoadU(d, x);
    for (i = lanes; i + lanes <= n; i += lanes) most = hn::Max(most, hn::LoadU(d, x + i));
    largest = hn::GetLane(hn::MaxOfLanes(d, most));
  }
  for (; i < n; ++i) largest = std::max(largest, x[i]);
  return largest;
}

// sums = Σ e, Σ e z, Σ e z² with z = x - largest, e = exp z. Lanes are added to doubles every
// few hundred steps, so that the error does not grow with the vocabulary.
void sums_target(const float* x, int64_t n, float largest, double* sums) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto top = hn::Set(d, largest);
  const auto least = hn::Set(d, -87.0F);  // exp underflows below; such terms vanish next to 1
  constexpr int64_t kSteps = 256;
  int64_t i = 0;
  while (i + lanes <= n) {
    auto s0 = hn::Zero(d), s1 = hn::Zero(d), s2 = hn::Zero(d);
    const int64_t stop = std::min(n, i + kSteps * lanes);
    for (; i + lanes <= stop; i += lanes) {
      const auto z = hn::Max(hn::Sub(hn::LoadU(d, x + i), top), least);
      const auto e = hn::Exp(d, z);
      const auto ez = hn::Mul(e, z);
      s0 = hn::Add(s0, e);
      s1 = hn::Add(s1, ez);
      s2 = hn::MulAdd(ez, z, s2);
    }
    sums[0] += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, s0)));
    sums[1] += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, s1)));
    sums[2] += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, s2)));
  }
  for (; i < n; ++i) {
    const double z = std::max(static_cast<double>(x[i] - largest), -87.0), e = std::exp(z);
    sums[0] += e, sums[1] += e * z, sums[2] += e * z * z;
  }
}

float in_order_target(const float* x, int64_t n, float largest) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN float e[hn::MaxLanes(d)];
  float sum = 0;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto z = hn::Sub(hn::LoadU(d, x + i), hn::Set(d, largest));
    hn::Store(hn::Exp(d, hn::Max(z, hn::Set(d, -87.0F))), d, e);
    for (int64_t k = 0; k < lanes; ++k) sum += e[k];
  }
  for (; i < n; ++i) sum += std::exp(std::max(x[i] - largest, -87.0F));
  return sum;
}

// x <- -dvalue exp(x - log_norm)
void negative_softmax_target(float* x, int64_t n, float log_norm, float dvalue) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto norm = hn::Set(d, log_norm), least = hn::Set(d, -87.0F), factor = hn::Set(d, -dvalue);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto z = hn::Max(hn::Sub(hn::LoadU(d, x + i), norm), least);
    hn::StoreU(hn::Mul(hn::Exp(d, z), factor), d, x + i);
  }
  for (; i < n; ++i) x[i] = -dvalue * std::exp(std::max(x[i] - log_norm, -87.0F));
}

}  // namespace
}  // namespace expunge::tensor::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace expunge::tensor::kernels {

HWY_EXPORT(largest_target);
HWY_EXPORT(sums_target);
HWY_EXPORT(in_order_target);
HWY_EXPORT(negative_softmax_target);

void softmax_stats(const float* logits, int64_t rows, int64_t vocab, SoftmaxStats* stats,
                   ExpSum exp_sum) {
  parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const float* x = logits + r * vocab;
      const float largest = HWY_DYNAMIC_DISPATCH(largest_target)(x, vocab);
      double sums[3] = {0, 0, 0};
      HWY_DYNAMIC_DISPATCH(sums_target)(x, vocab, largest, sums);
      const double log_sum = std::log(sums[0]), z = sums[1] / sums[0];
      const double norm = exp_sum == ExpSum::kAccurate
                              ? log_sum
                              : std::log(HWY_DYNAMIC_DISPATCH(in_order_target)(x, vocab, largest));
      stats[r] = {static_cast<double>(largest) + norm, z - log_sum,
                  std::max(0.0, sums[2] / sums[0] - z * z),
                  static_cast<int32_t>(std::find(x, x + vocab, largest) - x)};
    }
  });
}

void rivals(const float* logits, int64_t rows, int64_t vocab, const int64_t* targets,
            Rivals* rivals) {
  parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const float *x = logits + r * vocab, *target = x + targets[r], *last = x + vocab;
      SoftmaxStats stats;
      softmax_stats(x, 1, vocab, &stats);
      const float* other = x + stats.best;
      if (other == target) {
        const auto largest = [](const float* from, const float* to) {
          return from < to ? HWY_DYNAMIC_DISPATCH(largest_target)(from, to - from)
                           : -std::numeric_limits<float>::infinity();
        };
        const float value = std::max(largest(x, target), largest(target + 1, last));
        other = std::find(x, target, value);
        if (other == target) other = std::find(target + 1, last, value);
      }
      rivals[r] = {std::exp(static_cast<double>(*target) - stats.log_norm),
                   std::exp(static_cast<double>(*other) - stats.log_norm), other - x};
    }
  });
}

void log_prob_gradient(float* logits, int64_t rows, int64_t vocab, const int64_t* targets,
                       const float* dvalue) {
  parallel_for(0, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      float* x = logits + r * vocab;
      SoftmaxStats stats;
      softmax_stats(x, 1, vocab, &stats);
      HWY_DYNAMIC_DISPATCH(negative_softmax_target)
      (x, vocab, static_cast<float>(stats.log_norm), dvalue[r]);
      x[targets[r]] += dvalue[r];
    }
  });
}

}  // namespace expunge::tensor::kernels
#endif
