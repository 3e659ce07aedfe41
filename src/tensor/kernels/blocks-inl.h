// Blocks of 32 weights widened to float32, for the products. Per-target code (Highway): included
// once for each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE.
//
// Scales are halves and weights at most eight bits, so scale * q is exact in float32: the values
// are bit for bit those of tensor::dequantise.
#if defined(EXPUNGE_BLOCKS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef EXPUNGE_BLOCKS_INL_H
#undef EXPUNGE_BLOCKS_INL_H
#else
#define EXPUNGE_BLOCKS_INL_H
#endif

#include <hwy/highway.h>

#include <cstring>

#include "tensor/quant.h"

HWY_BEFORE_NAMESPACE();
namespace expunge::tensor::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using D8 = hn::CappedTag<float, 8>;
using V8 = hn::Vec<D8>;
constexpr size_t kLanes8 = hn::MaxLanes(D8()), kVectors = 32 / kLanes8;

constexpr int64_t block_bytes(DType dtype) {
  return dtype == DType::kQ8_0 ? 34 : dtype == DType::kQ4_0 ? 18 : 20;
}

HWY_INLINE float half_at(const uint8_t* p) {
  const hn::CappedTag<float, 1> d1;
  const hn::Rebind<hwy::float16_t, decltype(d1)> dh;
  hwy::float16_t h;
  std::memcpy(&h, p, sizeof h);
  return hn::GetLane(hn::PromoteTo(d1, hn::Load(dh, &h)));
}

// The integers of a block, not yet scaled: w[v] has the weights from v * lanes on.
template <DType kType, class D>
HWY_INLINE void widen(const uint8_t* block, D d, hn::Vec<D>* w) {
  constexpr size_t kStep = hn::MaxLanes(D()), kSteps = 32 / kStep;
  const hn::Rebind<int32_t, D> di;
  if constexpr (kType == DType::kQ8_0) {
    const hn::Rebind<int8_t, D> db;
    const auto* q = reinterpret_cast<const int8_t*>(block + 2);
    for (size_t v = 0; v < kSteps; ++v)
      w[v] = hn::ConvertTo(d, hn::PromoteTo(di, hn::LoadU(db, q + v * kStep)));
  } else {
    const hn::Rebind<uint8_t, D> db;
    const uint8_t* q = block + (kType == DType::kQ4_0 ? 2 : 4);
    const auto low = hn::Set(di, 15);
    for (size_t v = 0; v < kSteps / 2; ++v) {
      const auto bytes = hn::PromoteTo(di, hn::LoadU(db, q + v * kStep));
      w[v] = hn::ConvertTo(d, hn::And(bytes, low));
      w[v + kSteps / 2] = hn::ConvertTo(d, hn::ShiftRight<4>(bytes));
    }
  }
}

// What is added to scale * q: the minimum of Q4_1, -8 scale of Q4_0.
template <DType kType>
HWY_INLINE float block_offset(const uint8_t* block, float scale) {
  return kType == DType::kQ4_1 ? half_at(block + 2) : kType == DType::kQ4_0 ? -8 * scale : 0;
}

template <DType kType>
HWY_INLINE void dequantise_row(const uint8_t* p, int64_t n, float* y) {
  const hn::CappedTag<float, 16> d;
  constexpr size_t kStep = hn::MaxLanes(d), kSteps = 32 / kStep;
  for (int64_t b = 0; b < n / 32; ++b, p += block_bytes(kType), y += 32) {
    hn::Vec<decltype(d)> w[kSteps];
    widen<kType>(p, d, w);
    const float s = half_at(p);
    const auto scale = hn::Set(d, s), offset = hn::Set(d, block_offset<kType>(p, s));
    for (size_t v = 0; v < kSteps; ++v)  // the product is exact, so one rounding either way
      hn::StoreU(hn::MulAdd(w[v], scale, offset), d, y + v * kStep);
  }
}

}  // namespace
}  // namespace expunge::tensor::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
