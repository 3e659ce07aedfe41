#include "tensor/kernels/rope_norm.h"

#include <cmath>

#include "tensor/kernels/pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/rope_norm.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace expunge::tensor::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

void rms_norm_target(const float* x, const float* weight, int64_t d_model, float eps, float* y) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto squares = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= d_model; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    squares = hn::MulAdd(v, v, squares);
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, squares));
  for (; i < d_model; ++i) sum += x[i] * x[i];
  const float scale = 1 / std::sqrt(sum / static_cast<float>(d_model) + eps);
  const auto s = hn::Set(d, scale);
  for (i = 0; i + lanes <= d_model; i += lanes)
    hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(d, x + i), s), hn::LoadU(d, weight + i)), d, y + i);
  for (; i < d_model; ++i) y[i] = x[i] * scale * weight[i];
}

void swiglu_target(const float* gate, const float* up, int64_t n, float* y) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto one = hn::Set(d, 1.0F);
  int64_t i = 0;
  const auto most = hn::Set(d, 88.0F);  // hn::Exp is undefined above 104
  for (; i + lanes <= n; i += lanes) {
    const auto g = hn::LoadU(d, gate + i);
    const auto sigmoid = hn::Div(one, hn::Add(one, hn::Exp(d, hn::Min(hn::Neg(g), most))));
    hn::StoreU(hn::Mul(hn::Mul(g, sigmoid), hn::LoadU(d, up + i)), d, y + i);
  }
  for (; i < n; ++i) y[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
}

}  // namespace
}  // namespace expunge::tensor::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace expunge::tensor::kernels {

HWY_EXPORT(rms_norm_target);
HWY_EXPORT(swiglu_target);

void rms_norm(const float* x, const float* weight, int64_t rows, int64_t d, float eps, float* y) {
  parallel_for(0, rows, 32, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      HWY_DYNAMIC_DISPATCH(rms_norm_target)(x + r * d, weight, d, eps, y + r * d);
  });
}

void rope(float* x, std::span<const int32_t> positions, int64_t heads, int64_t head_dim,
          const float* cos, const float* sin) {
  const int64_t half = head_dim / 2;
  parallel_for(0, static_cast<int64_t>(positions.size()), 16, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const float* c = cos + positions[static_cast<size_t>(r)] * half;
      const float* s = sin + positions[static_cast<size_t>(r)] * half;
      for (int64_t h = 0; h < heads; ++h) {
        float* a = x + (r * heads + h) * head_dim;
        float* b = a + half;
        for (int64_t i = 0; i < half; ++i) {
          const float first = a[i], second = b[i];
          a[i] = first * c[i] - second * s[i];
          b[i] = second * c[i] + first * s[i];
        }
      }
    }
  });
}

void swiglu(const float* gate, const float* up, int64_t n, float* y) {
  parallel_for(0, n, 16384, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(swiglu_target)(gate + begin, up + begin, end - begin, y + begin);
  });
}

void add(const float* a, const float* b, int64_t n, float* y) {
  parallel_for(0, n, 32768, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = a[i] + b[i];
  });
}

}  // namespace expunge::tensor::kernels
#endif
