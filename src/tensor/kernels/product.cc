// The columns of c are the vector. Panels of b (two vectors wide, kBlockK deep, 32 KB at most) are
// packed by the part that owns their columns; of a only what lies across, and only a chunk of rows.
#include "tensor/kernels/product.h"

#include <algorithm>

#include "base/error.h"
#include "tensor/kernels/pool.h"
#include "tensor/kernels/scratch.h"

#ifndef EXPUNGE_PRODUCT_JOB
#define EXPUNGE_PRODUCT_JOB
namespace expunge::tensor::kernels {
namespace {

constexpr int64_t kBlockK = 256, kMaxLanes = 16;
constexpr int64_t kRowsStep = 12;  // a multiple of every target's tile
struct ProductJob {
  Form form;
  ProductSize size;
  Matrix a, b;
  Into into;
  float* c;
  int64_t c_stride;
  int64_t chunk, panels;  // rows of a chunk; panels of columns
};

}  // namespace
}  // namespace expunge::tensor::kernels
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/product.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "tensor/kernels/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace expunge::tensor::kernels::HWY_NAMESPACE {
namespace {

static_assert(kRowsStep % kOutputs == 0 && kLanes <= kMaxLanes);
constexpr int64_t kWidth = 2 * kLanes;
// A cache line more than a tile of a: a multiple of 4 KB would put all tiles into the same lines.
constexpr int64_t kTileApart = kBlockK * kOutputs + 16;

// Tiles of a, packed [k,kOutputs] each.
struct PackedSource {
  const float* first;
  template <int kN>
  Columns<kN> tile(int64_t j, int64_t) const {
    return {first + j / kOutputs * kTileApart, kOutputs};
  }
};

// b [k,n] with rows `stride` apart -> panel [k,width], columns from n on zeros. Prefetches
// the panel to the right, the next one.
void pack_rows(const float* b, int64_t stride, int64_t n, int64_t k, int64_t width, float* panel) {
  const DV d;
  for (int64_t i = 0; i < k; ++i, b += stride, panel += width) {
    hwy::Prefetch(b + width);
    hwy::Prefetch(b + width + kLanes);
    int64_t j = 0;
    for (; j + kLanes <= n; j += kLanes) hn::Store(hn::LoadU(d, b + j), d, panel + j);
    for (; j < width; ++j) panel[j] = j < n ? b[j] : 0;
  }
}

// a [k,m] with rows `stride` apart -> tiles [k,kOutputs], kTileApart floats apart.
void pack_columns(const float* a, int64_t stride, int64_t m, int64_t k, float* tiles) {
  for (int64_t i = 0; i < k; ++i, a += stride, tiles += kOutputs) {
    int64_t j = 0;
    for (; j + kOutputs <= m; j += kOutputs)
      for (int64_t e = 0; e < kOutputs; ++e) tiles[j / kOutputs * kTileApart + e] = a[j + e];
    for (int64_t e = 0; j + e < m; ++e) tiles[j / kOutputs * kTileApart + e] = a[j + e];
  }
}

// Chunk rows first .. first+m, panels begin .. end.
void multiply(const ProductJob& p, int64_t first, int64_t m, int64_t begin, int64_t end, float* a,
              float* panel) {
  const bool turned = p.form == Form::kTN;
  for (int64_t k0 = 0; k0 < p.size.k; k0 += kBlockK) {
    const int64_t k = std::min(kBlockK, p.size.k - k0);
    const Into into = k0 > 0 ? Into::kAdd : p.into;
    if (turned) pack_columns(p.a.data + k0 * p.a.stride + first, p.a.stride, m, k, a);
    for (int64_t q = begin; q < end; ++q) {
      const int64_t column = q * kWidth, n = std::min(kWidth, p.size.n - column);
      const int64_t width = n <= kLanes ? kLanes : kWidth;
      if (p.form == Form::kNT)
        pack_turned([&](int64_t i) { return p.b.data + (column + i) * p.b.stride + k0; }, n, k,
                    width, panel);
      else
        pack_rows(p.b.data + k0 * p.b.stride + column, p.b.stride, n, k, width, panel);
      float* c = p.c + first * p.c_stride + column;
      if (turned)
        product_panel(PackedSource{a}, m, panel, width, k, into, n, c, p.c_stride);
      else
        product_panel(RowSource{p.a.data + first * p.a.stride + k0, p.a.stride}, m, panel, width, k,
                      into, n, c, p.c_stride);
    }
  }
}

// Cells begin .. end of the grid of chunks and panels, panels fastest.
void product_target(const ProductJob& p, int64_t begin, int64_t end) {
  thread_local Scratch a_scratch, panel_scratch;
  float* panel = panel_scratch.floats(kBlockK * kWidth);
  float* a = p.form == Form::kTN ? a_scratch.floats(p.chunk / kOutputs * kTileApart) : nullptr;
  while (begin < end) {
    const int64_t first = begin / p.panels * p.chunk, q = begin % p.panels;
    const int64_t n = std::min(end - begin, p.panels - q);
    multiply(p, first, std::min(p.chunk, p.size.m - first), q, q + n, a, panel);
    begin += n;
  }
}

int64_t width_target() { return kWidth; }

}  // namespace
}  // namespace expunge::tensor::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace expunge::tensor::kernels {

HWY_EXPORT(product_target);
HWY_EXPORT(width_target);

void product(Form form, ProductSize size, Matrix a, Matrix b, Into into, float* c,
             int64_t c_stride) {
  CHECK(size.m >= 1 && size.n >= 1 && size.k >= 1, "product of {} by {} by {}", size.m, size.n,
        size.k);
  ProductJob p{form, size, a, b, into, c, c_stride, 0, 0};
  const int64_t width = HWY_DYNAMIC_DISPATCH(width_target)();
  p.panels = (size.n + width - 1) / width;
  // Chunks as long as the second-level cache and eight cells a thread allow: each packs b again.
  const int64_t longest = form == Form::kTN ? 192 : 384;
  const int64_t wanted = (8 * n_threads() + p.panels - 1) / p.panels;
  const int64_t rows = std::clamp<int64_t>((size.m + wanted - 1) / wanted, 48, longest);
  p.chunk = (rows + kRowsStep - 1) / kRowsStep * kRowsStep;
  const int64_t chunks = (size.m + p.chunk - 1) / p.chunk;
  // About a million multiply-adds a part at least.
  const int64_t cell = width * size.k * std::min(p.chunk, size.m);
  const int64_t grain = std::max<int64_t>(1, (int64_t{1} << 20) / cell);
  parallel_for(0, chunks * p.panels, grain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(product_target)(p, begin, end);
  });
}

}  // namespace expunge::tensor::kernels
#endif
