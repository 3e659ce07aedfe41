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

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "tensor/kernels/product.h"

HWY_BEFORE_NAMESPACE();
namespace expunge::tensor::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using DV = hn::ScalableTag<float>;
using Vector = hn::Vec<DV>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(DV()));

// 24 accumulators in the 32 registers of AVX-512, 12 in the 16 of older targets.
constexpr int kOutputs = HWY_TARGET <= HWY_AVX3 ? 12 : 6;

// The scalars of a tile of kN outputs: output j at step k comes from rows, or columns, that lie
// `stride` apart. A tile of rows at the edge reads its last row again instead of past the end.
template <int kN>
struct Rows {
  const float* row[kN];
  Rows(const float* first, int64_t stride, int64_t n) {
    for (int64_t j = 0; j < kN; ++j) row[j] = first + std::min(j, n - 1) * stride;
  }
  HWY_INLINE float at(int64_t j, int64_t k) const { return row[j][k]; }
};
template <int kN>
struct Columns {
  const float* first;
  int64_t stride;
  HWY_INLINE float at(int64_t j, int64_t k) const { return first[k * stride + j]; }
};

template <int kN, int kVectors>
HWY_INLINE void clear(Vector (&sum)[kN][kVectors]) {
  const DV d;
#pragma GCC unroll 12
  for (auto& output : sum)
#pragma GCC unroll 2
    for (auto& s : output) s = hn::Zero(d);
}

// sum[j][v] += Σ_k scalars.at(j, k) * panel[k,v]; panel [n,kVectors*kLanes], aligned, its rows
// `stride` apart.
template <int kN, int kVectors, class Scalars>
HWY_INLINE void accumulate(const Scalars& scalars, const float* HWY_RESTRICT panel, int64_t stride,
                           int64_t n, Vector (&sum)[kN][kVectors]) {
  const DV d;
#pragma GCC unroll 2
  for (int64_t k = 0; k < n; ++k) {
    Vector x[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) x[v] = hn::Load(d, panel + k * stride + v * kLanes);
#pragma GCC unroll 12
    for (int64_t j = 0; j < kN; ++j) {
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

// Stores blocks of 128 bits at addresses `apart` floats apart.
template <class D>
HWY_INLINE void store_blocks(D d, hn::Vec<D> v, int64_t apart, float* to) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    hn::Store(v, d, to);
  } else {
    const hn::Half<D> half;
    constexpr auto kBlocks = static_cast<int64_t>(hn::MaxLanes(half) / 4);
    store_blocks(half, hn::LowerHalf(half, v), apart, to);
    store_blocks(half, hn::UpperHalf(half, v), apart, to + kBlocks * apart);
  }
}

// Columns from `begin` on of four rows of x, in whole vectors of D, to four columns of a
// panel; returns the column where it stopped.
template <class D>
HWY_INLINE int64_t turn_rows(D d, const float* x0, const float* x1, const float* x2,
                             const float* x3, int64_t begin, int64_t end, int64_t width,
                             float* panel) {
  constexpr auto kStep = static_cast<int64_t>(hn::MaxLanes(D()));
  for (; begin + kStep <= end; begin += kStep) {
    auto a = hn::LoadU(d, x0 + begin), b = hn::LoadU(d, x1 + begin);
    auto c = hn::LoadU(d, x2 + begin), e = hn::LoadU(d, x3 + begin);
    transpose_blocks<D>(a, b, c, e);
    float* to = panel + begin * width;
    store_blocks(d, a, 4 * width, to);
    store_blocks(d, b, 4 * width, to + width);
    store_blocks(d, c, 4 * width, to + 2 * width);
    store_blocks(d, e, 4 * width, to + 3 * width);
  }
  return begin;
}
#endif

// x [n,k], whose row t lies at row(t) -> panel [k,width], columns from n on are zeros.
template <class Row>
void pack_turned(const Row& row, int64_t n, int64_t k, int64_t width, float* panel) {
  int64_t t = 0;
#if HWY_TARGET != HWY_SCALAR
  for (; t + 4 <= n; t += 4) {
    const float *x0 = row(t), *x1 = row(t + 1), *x2 = row(t + 2), *x3 = row(t + 3);
    int64_t i = turn_rows(DV(), x0, x1, x2, x3, 0, k, width, panel + t);
    i = turn_rows(hn::CappedTag<float, 4>(), x0, x1, x2, x3, i, k, width, panel + t);
    for (; i < k; ++i) {
      float* to = panel + i * width + t;
      to[0] = x0[i], to[1] = x1[i], to[2] = x2[i], to[3] = x3[i];
    }
  }
#endif
  for (; t < n; ++t) {
    const float* x = row(t);
    for (int64_t i = 0; i < k; ++i) panel[i * width + t] = x[i];
  }
  for (; t < width; ++t)
    for (int64_t i = 0; i < k; ++i) panel[i * width + t] = 0;
}

// c [m,n] (+)= scalars panel; m <= kN, n <= kVectors*kLanes. c is prefetched before the sums and
// added after them: for a large gradient it comes from memory.
template <int kN, int kVectors, class Scalars>
void product_tile(const Scalars& scalars, const float* panel, int64_t panel_stride, int64_t k,
                  Into into, int64_t m, int64_t n, float* c, int64_t c_stride) {
  const DV d;
  constexpr int64_t kWidth = kVectors * kLanes;
  Vector sum[kN][kVectors];
  clear(sum);
#pragma GCC unroll 12
  for (int64_t j = 0; j < kN; ++j)
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v)
      hwy::Prefetch(c + std::min(j, m - 1) * c_stride + v * kLanes);
  accumulate(scalars, panel, panel_stride, k, sum);
  if (m == kN && n == kWidth) {
#pragma GCC unroll 12
    for (int64_t j = 0; j < kN; ++j)
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        float* to = c + j * c_stride + v * kLanes;
        hn::StoreU(into == Into::kAdd ? hn::Add(hn::LoadU(d, to), sum[j][v]) : sum[j][v], d, to);
      }
    return;
  }
  HWY_ALIGN float edge[kN][kWidth];
#pragma GCC unroll 12
  for (int64_t j = 0; j < kN; ++j)
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) hn::Store(sum[j][v], d, edge[j] + v * kLanes);
  for (int64_t j = 0; j < m; ++j, c += c_stride)
    for (int64_t i = 0; i < n; ++i) c[i] = into == Into::kAdd ? c[i] + edge[j][i] : edge[j][i];
}

// Where a product_panel() takes its scalars from: tile<kN>(j, n) is those of outputs j .. j+n.
struct RowSource {
  const float* first;
  int64_t stride;
  template <int kN>
  Rows<kN> tile(int64_t j, int64_t n) const {
    return Rows<kN>(first + j * stride, stride, n);
  }
};
struct ColumnSource {  // kOutputs - 1 floats after the last column are read
  const float* first;
  int64_t stride;
  template <int kN>
  Columns<kN> tile(int64_t j, int64_t) const {
    return {first + j, stride};
  }
};

template <int kN, class Source>
HWY_INLINE void product_tiles(const Source& source, int64_t begin, int64_t end, const float* panel,
                              int64_t panel_stride, int64_t k, Into into, int64_t n, float* c,
                              int64_t c_stride) {
  for (int64_t j = begin; j < end; j += kN) {
    const int64_t m = std::min<int64_t>(kN, end - j);
    const auto scalars = source.template tile<kN>(j, m);
    if (n <= kLanes)
      product_tile<kN, 1>(scalars, panel, panel_stride, k, into, m, n, c + j * c_stride, c_stride);
    else
      product_tile<kN, 2>(scalars, panel, panel_stride, k, into, m, n, c + j * c_stride, c_stride);
  }
}

// c [m,n] (+)= source panel, n at most two vectors: the panel must reach to the end of the last
// one.
template <class Source>
void product_panel(const Source& source, int64_t m, const float* panel, int64_t panel_stride,
                   int64_t k, Into into, int64_t n, float* c, int64_t c_stride) {
  const int64_t rest = m % kOutputs;
  const int64_t whole = rest > kOutputs / 2 ? m : m - rest;
  product_tiles<kOutputs>(source, 0, whole, panel, panel_stride, k, into, n, c, c_stride);
  if (m - whole > 3)
    product_tiles<6>(source, whole, m, panel, panel_stride, k, into, n, c, c_stride);
  else
    product_tiles<3>(source, whole, m, panel, panel_stride, k, into, n, c, c_stride);
}

}  // namespace
}  // namespace expunge::tensor::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
