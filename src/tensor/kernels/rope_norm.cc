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

// The argument z of the sigmoid of which act(g) = g σ(z): g itself, or with 0.5 (1 + tanh(u)) =
// σ(2u) that of the tanh form of GELU.
constexpr float kTwiceRootTwoOverPi = 1.5957691216057308F, kCubic = 0.044715F;

struct Silu {
  template <class D, class V>
  static V sigmoid_of(D /*d*/, V g) {
    return g;
  }
  static float sigmoid_of(float g) { return g; }
};
struct Gelu {
  template <class D, class V>
  static V sigmoid_of(D d, V g) {
    const auto cube = hn::Mul(hn::Mul(g, g), hn::Set(d, kCubic));
    return hn::Mul(hn::Set(d, kTwiceRootTwoOverPi), hn::MulAdd(cube, g, g));
  }
  static float sigmoid_of(float g) { return kTwiceRootTwoOverPi * (g + kCubic * g * g * g); }
};

template <class Act>
void gated_rows(const float* gate, const float* up, int64_t n, float* y) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto one = hn::Set(d, 1.0F);
  int64_t i = 0;
  const auto most = hn::Set(d, 88.0F), least = hn::Set(d, -88.0F);  // where hn::Exp is defined
  for (; i + lanes <= n; i += lanes) {
    const auto g = hn::LoadU(d, gate + i);
    const auto z = hn::Max(hn::Min(hn::Neg(Act::sigmoid_of(d, g)), most), least);
    const auto sigmoid = hn::Div(one, hn::Add(one, hn::Exp(d, z)));
    hn::StoreU(hn::Mul(hn::Mul(g, sigmoid), hn::LoadU(d, up + i)), d, y + i);
  }
  for (; i < n; ++i) y[i] = gate[i] / (1 + std::exp(-Act::sigmoid_of(gate[i]))) * up[i];
}

void swiglu_target(const float* gate, const float* up, int64_t n, float* y) {
  gated_rows<Silu>(gate, up, n, y);
}
void geglu_target(const float* gate, const float* up, int64_t n, float* y) {
  gated_rows<Gelu>(gate, up, n, y);
}

}  // namespace
}  // namespace expunge::tensor::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace expunge::tensor::kernels {

HWY_EXPORT(rms_norm_target);
HWY_EXPORT(swiglu_target);
HWY_EXPORT(geglu_target);

void rms_norm(const float* x, const float* weight, int64_t rows, int64_t d, float eps, float* y) {
  parallel_for(0, rows, 32, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      HWY_DYNAMIC_DISPATCH(rms_norm_target)(x + r * d, weight, d, eps, y + r * d);
  });
}

void rope(float* x, const RopeShape& shape, const float* cos, const float* sin) {
  const int64_t half = shape.n_rotary / 2;
  parallel_for(0, shape.rows, 16, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const float *c = cos + r * half, *s = sin + r * half;
      for (int64_t h = 0; h < shape.heads; ++h) {
        float* a = x + (r * shape.heads + h) * shape.head_dim;
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

void geglu(const float* gate, const float* up, int64_t n, float* y) {
  parallel_for(0, n, 16384, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(geglu_target)(gate + begin, up + begin, end - begin, y + begin);
  });
}

void add(const float* a, const float* b, int64_t n, float* y) {
  parallel_for(0, n, 32768, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = a[i] + b[i];
  });
}

}  // namespace expunge::tensor::kernels
#endif
