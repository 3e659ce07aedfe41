#include "tensor/kernels/optimiser.h"

#include <cmath>

#include "tensor/kernels/pool.h"

#ifndef EXPUNGE_ADAMW_FACTORS
#define EXPUNGE_ADAMW_FACTORS
namespace expunge::tensor::kernels {
namespace {

// w ← w keep − rate m / (sqrt(v) inverse_root + eps), with m and v updated before.
struct Factors {
  float beta1, beta2, scale, keep, rate, inverse_root, eps;
};

}  // namespace
}  // namespace expunge::tensor::kernels
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/optimiser.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace expunge::tensor::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

void adamw_target(const Factors& f, const float* HWY_RESTRICT g, int64_t n, float* HWY_RESTRICT w,
                  float* HWY_RESTRICT m, float* HWY_RESTRICT v) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto set = [&](float x) { return hn::Set(d, x); };
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto gradient = hn::Mul(hn::LoadU(d, g + i), set(f.scale));
    const auto old_m = hn::LoadU(d, m + i), old_v = hn::LoadU(d, v + i);
    // m + (1 − β) (g − m): one rounding less than β m + (1 − β) g.
    const auto mean = hn::MulAdd(hn::Sub(gradient, old_m), set(1 - f.beta1), old_m);
    const auto square =
        hn::MulAdd(hn::Sub(hn::Mul(gradient, gradient), old_v), set(1 - f.beta2), old_v);
    const auto below = hn::MulAdd(hn::Sqrt(square), set(f.inverse_root), set(f.eps));
    const auto step = hn::Div(hn::Mul(mean, set(f.rate)), below);
    hn::StoreU(mean, d, m + i);
    hn::StoreU(square, d, v + i);
    hn::StoreU(hn::MulSub(hn::LoadU(d, w + i), set(f.keep), step), d, w + i);
  }
  for (; i < n; ++i) {
    const float gradient = g[i] * f.scale;
    m[i] += (gradient - m[i]) * (1 - f.beta1);
    v[i] += (gradient * gradient - v[i]) * (1 - f.beta2);
    w[i] = w[i] * f.keep - m[i] * f.rate / (std::sqrt(v[i]) * f.inverse_root + f.eps);
  }
}

}  // namespace
}  // namespace expunge::tensor::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace expunge::tensor::kernels {

HWY_EXPORT(adamw_target);

void adamw(const AdamW& how, const float* gradient, int64_t n, float* weight, float* mean,
           float* square) {
  const auto step = static_cast<double>(how.step);
  const double correction1 = 1 - std::pow(how.beta1, step),
               correction2 = 1 - std::pow(how.beta2, step);
  const Factors f{static_cast<float>(how.beta1),
                  static_cast<float>(how.beta2),
                  static_cast<float>(how.gradient_scale),
                  static_cast<float>(1 - how.lr * how.weight_decay),
                  static_cast<float>(how.lr / correction1),
                  static_cast<float>(1 / std::sqrt(correction2)),
                  static_cast<float>(how.eps)};
  parallel_for(0, n, int64_t{1} << 16, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(adamw_target)
    (f, gradient + begin, end - begin, weight + begin, mean + begin, square + begin);
  });
}

}  // namespace expunge::tensor::kernels
#endif
