// What the two directions of attention share: keys and values gathered from the pool into panels.
// Per-target code (Highway): included once for each instruction set.
#if defined(EXPUNGE_ATTENTION_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef EXPUNGE_ATTENTION_INL_H
#undef EXPUNGE_ATTENTION_INL_H
#else
#define EXPUNGE_ATTENTION_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>

#include "tensor/kernels/attention.h"
#include "tensor/kernels/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace expunge::tensor::kernels::HWY_NAMESPACE {
namespace {

constexpr int64_t kPanel = 2 * kLanes;  // keys of a panel, columns of a panel

inline int64_t whole_vectors(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

// y [n,stride] = x [n,k], each row from where `row` points, zeros after the k-th column.
template <class Row>
void gather(const Row& row, int64_t n, int64_t k, int64_t stride, float* y) {
  const DV d;
  for (int64_t t = 0; t < n; ++t, y += stride) {
    const float* x = row(t);
    int64_t i = 0;
    for (; i + kLanes <= k; i += kLanes) hn::Store(hn::LoadU(d, x + i), d, y + i);
    for (; i < stride; ++i) y[i] = i < k ? x[i] : 0;
  }
}

// c [m,width] (+)= source panel [k,width], width whole vectors, panel and c aligned.
template <class Source>
void small_product(const Source& source, int64_t m, const float* panel, int64_t width, int64_t k,
                   Into into, float* c) {
  for (int64_t i = 0; i < width; i += kPanel)
    product_panel(source, m, panel + i, width, k, into, std::min(kPanel, width - i), c + i, width);
}

}  // namespace
}  // namespace expunge::tensor::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
