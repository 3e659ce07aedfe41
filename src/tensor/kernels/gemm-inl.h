// The inner loop of the products: a tile of kOutputs scalars by kVectors vectors, kept in registers
// while k passes (Goto and van de Geijn 2008). Per-target code (Highway): included once for each
// instruction set.
//
// One element is one chain of multiply-adds in order of k, so that a sum is the same bits whatever
// the tile's place, the number of rows and of threads.
#if defined(EXPUNGE_GEMM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef EXPUNGE_GEMM_INL_H
#undef EXPUNGE_GEMM_INL_H
#else
#define EXPUNGE_GEMM_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace expunge::tensor::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using DV = hn::ScalableTag<float>;
using Vector = hn::Vec<DV>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(DV()));

// 24 accumulators of the 32 registers of AVX-512, 12 of the 16 of what came before.
constexpr int64_t kOutputs = HWY_TARGET <= HWY_AVX3 ? 12 : 6;

// The scalars of a tile: output j at step k is of rows that lie apart, or of one packed
// [k,kOutputs].
struct Rows {
  const float* row[kOutputs];
  // A tile at the edge reads its last output again instead of past the end.
  Rows(const float* first, int64_t stride, int64_t n) {
    for (int64_t j = 0; j < kOutputs; ++j) row[j] = first + std::min(j, n - 1) * stride;
  }
  HWY_INLINE float at(int64_t j, int64_t k) const { return row[j][k]; }
};
struct Columns {
  const float* packed;
  HWY_INLINE float at(int64_t j, int64_t k) const { return packed[k * kOutputs + j]; }
};

// sum[j][v] += Σ_k scalars.at(j, k) * panel[k,v]; panel [n,kVectors*kLanes], aligned.
template <int kVectors, class Scalars>
HWY_INLINE void accumulate(const Scalars& scalars, const float* HWY_RESTRICT panel, int64_t n,
                           Vector (&sum)[kOutputs][kVectors]) {
  const DV d;
#pragma GCC unroll 2
  for (int64_t k = 0; k < n; ++k) {
    Vector x[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) x[v] = hn::Load(d, panel + (k * kVectors + v) * kLanes);
#pragma GCC unroll 12
    for (int64_t j = 0; j < kOutputs; ++j) {
      const auto s = hn::Set(d, scalars.at(j, k));
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sum[j][v] = hn::MulAdd(s, x[v], sum[j][v]);
    }
  }
}

#if HWY_TARGET != HWY_SCALAR
// The square of 4 by 4 floats in each 128-bit block, turned.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void transpose_blocks(V& a, V& b, V& c, V& e) {
  const D d;
  const hn::Repartition<double, D> dd;
  const auto ab0 = hn::BitCast(dd, hn::InterleaveLower(d, a, b));
  const auto ab1 = hn::BitCast(dd, hn::InterleaveUpper(d, a, b));
  const auto ce0 = hn::BitCast(dd, hn::InterleaveLower(d, c, e));
  const auto ce1 = hn::BitCast(dd, hn::InterleaveUpper(d, c, e));
  a = hn::BitCast(d, hn::InterleaveLower(dd, ab0, ce0));
  b = hn::BitCast(d, hn::InterleaveUpper(dd, ab0, ce0));
  c = hn::BitCast(d, hn::InterleaveLower(dd, ab1, ce1));
  e = hn::BitCast(d, hn::InterleaveUpper(dd, ab1, ce1));
}
#endif

// x [n,k] with rows `stride` apart -> panel [k,width], columns from n on zeros.
inline void pack_turned(const float* x, int64_t stride, int64_t n, int64_t k, int64_t width,
                        float* panel) {
  int64_t r = 0;
#if HWY_TARGET != HWY_SCALAR
  using D4 = hn::CappedTag<float, 4>;
  const D4 d;
  for (; r + 4 <= n; r += 4) {
    const float* from = x + r * stride;
    int64_t i = 0;
    for (; i + 4 <= k; i += 4) {
      auto a = hn::LoadU(d, from + i), b = hn::LoadU(d, from + stride + i);
      auto c = hn::LoadU(d, from + 2 * stride + i), e = hn::LoadU(d, from + 3 * stride + i);
      transpose_blocks<D4>(a, b, c, e);
      float* to = panel + i * width + r;
      hn::Store(a, d, to);
      hn::Store(b, d, to + width);
      hn::Store(c, d, to + 2 * width);
      hn::Store(e, d, to + 3 * width);
    }
    for (; i < k; ++i)
      for (int64_t j = 0; j < 4; ++j) panel[i * width + r + j] = from[j * stride + i];
  }
#endif
  for (; r < width; ++r)
    for (int64_t i = 0; i < k; ++i) panel[i * width + r] = r < n ? x[r * stride + i] : 0;
}

}  // namespace
}  // namespace expunge::tensor::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
