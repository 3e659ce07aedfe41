#include <cmath>
#include <vector>

#include "tensor/kernels/pool.h"
#include "tensor/kernels/rope_norm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/rope_norm_backward.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace expunge::tensor::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// One row; returns 1 / rms(x).
float rms_norm_backward_target(const float* x, const float* weight, const float* dy,
                               int64_t d_model, float eps, float* dx) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto squares = hn::Zero(d), dots = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= d_model; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    squares = hn::MulAdd(v, v, squares);
    dots = hn::MulAdd(hn::Mul(hn::LoadU(d, dy + i), hn::LoadU(d, weight + i)), v, dots);
  }
  float square = hn::GetLane(hn::SumOfLanes(d, squares));
  float dot = hn::GetLane(hn::SumOfLanes(d, dots));
  for (; i < d_model; ++i) square += x[i] * x[i], dot += dy[i] * weight[i] * x[i];
  const auto n = static_cast<float>(d_model);
  const float inverse = 1 / std::sqrt(square / n + eps);
  const float along = dot / n * inverse * inverse * inverse;  // dx = dy w / rms - x along
  const auto s = hn::Set(d, inverse), a = hn::Set(d, along);
  for (i = 0; i + lanes <= d_model; i += lanes) {
    const auto dn = hn::Mul(hn::LoadU(d, dy + i), hn::LoadU(d, weight + i));
    hn::StoreU(hn::NegMulAdd(hn::LoadU(d, x + i), a, hn::Mul(dn, s)), d, dx + i);
  }
  for (; i < d_model; ++i) dx[i] = dy[i] * weight[i] * inverse - x[i] * along;
  return inverse;
}

void swiglu_backward_target(const float* gate, const float* up, const float* dy, int64_t n,
                            float* dgate, float* dup) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto one = hn::Set(d, 1.0F), most = hn::Set(d, 88.0F);  // hn::Exp is undefined above 104
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto g = hn::LoadU(d, gate + i), u = hn::LoadU(d, up + i), y = hn::LoadU(d, dy + i);
    const auto sigmoid = hn::Div(one, hn::Add(one, hn::Exp(d, hn::Min(hn::Neg(g), most))));
    const auto silu = hn::Mul(g, sigmoid);
    const auto slope = hn::MulAdd(silu, hn::Sub(one, sigmoid), sigmoid);
    hn::StoreU(hn::Mul(y, silu), d, dup + i);
    hn::StoreU(hn::Mul(hn::Mul(y, u), slope), d, dgate + i);
  }
  for (; i < n; ++i) {
    const float y = dy[i], u = up[i], sigmoid = 1 / (1 + std::exp(-gate[i]));
    const float silu = gate[i] * sigmoid;
    dup[i] = y * silu;
    dgate[i] = y * u * (sigmoid + silu * (1 - sigmoid));
  }
}

}  // namespace
}  // namespace expunge::tensor::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace expunge::tensor::kernels {

HWY_EXPORT(rms_norm_backward_target);
HWY_EXPORT(swiglu_backward_target);

void rms_norm_backward(const float* x, const float* weight, const float* dy, int64_t rows,
                       int64_t d, float eps, float* dx, float* dweight) {
  std::vector<float> inverse(static_cast<size_t>(rows));
  parallel_for(0, rows, 32, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      inverse[static_cast<size_t>(r)] = HWY_DYNAMIC_DISPATCH(rms_norm_backward_target)(
          x + r * d, weight, dy + r * d, d, eps, dx + r * d);
  });
  if (!dweight) return;
  parallel_for(0, d, 64, [&](int64_t begin, int64_t end) {
    std::vector<float> sum(static_cast<size_t>(end - begin));
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = begin; i < end; ++i)
        sum[static_cast<size_t>(i - begin)] +=
            dy[r * d + i] * x[r * d + i] * inverse[static_cast<size_t>(r)];
    for (int64_t i = begin; i < end; ++i) dweight[i] += sum[static_cast<size_t>(i - begin)];
  });
}

void swiglu_backward(const float* gate, const float* up, const float* dy, int64_t n, float* dgate,
                     float* dup) {
  parallel_for(0, n, 16384, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(swiglu_backward_target)
    (gate + begin, up + begin, dy + begin, end - begin, dgate + begin, dup + begin);
  });
}

}  // namespace expunge::tensor::kernels
#endif
