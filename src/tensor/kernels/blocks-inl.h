// Blocks of the commonest types widened to float32 in registers, for products of few rows: faster
// than by way of Levels, which hold for every type. Per-target code (Highway): included once for
// each instruction set, between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE. Layouts:
// even_blocks.h.
#if defined(EXPUNGE_BLOCKS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef EXPUNGE_BLOCKS_INL_H
#undef EXPUNGE_BLOCKS_INL_H
#else
#define EXPUNGE_BLOCKS_INL_H
#endif

#include <hwy/highway.h>

#include <cstring>
#include <type_traits>

#include "tensor/quant.h"

HWY_BEFORE_NAMESPACE();
namespace expunge::tensor::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using D8 = hn::CappedTag<float, 8>;
using V8 = hn::Vec<D8>;
constexpr size_t kLanes8 = hn::MaxLanes(D8()), kVectors = 32 / kLanes8;

HWY_INLINE float half_at(const uint8_t* p) {
  const hn::CappedTag<float, 1> d1;
  const hn::Rebind<hwy::float16_t, decltype(d1)> dh;
  hwy::float16_t h;
  std::memcpy(&h, p, sizeof h);
  return hn::GetLane(hn::PromoteTo(d1, hn::Load(dh, &h)));
}

// Bytes from p on, an int32 a lane.
HWY_INLINE auto bytes_at(const uint8_t* p) {
  return hn::PromoteTo(hn::Rebind<int32_t, D8>(), hn::LoadU(hn::Rebind<uint8_t, D8>(), p));
}
HWY_INLINE V8 signed_bytes_at(const uint8_t* p) {
  const hn::Rebind<int32_t, D8> di;
  const auto* q = reinterpret_cast<const int8_t*>(p);
  return hn::ConvertTo(D8(), hn::PromoteTo(di, hn::LoadU(hn::Rebind<int8_t, D8>(), q)));
}

// What one type's blocks are. A part is 32 weights of a block at p:
//   scales(p, s, o)   for each part a scale and, if kOffset, what is added to scale * level
//   widen(p, part, w) its levels, not scaled, kVectors vectors
template <DType kType>
struct Blocks;

struct Nibbles {  // 32 weights in 16 bytes: the low halves first
  static HWY_INLINE void widen(const uint8_t* q, V8* w) {
    const auto low = hn::Set(hn::Rebind<int32_t, D8>(), 15);
    for (size_t v = 0; v < kVectors / 2; ++v) {
      const auto bytes = bytes_at(q + v * kLanes8);
      w[v] = hn::ConvertTo(D8(), hn::And(bytes, low));
      w[v + kVectors / 2] = hn::ConvertTo(D8(), hn::ShiftRight<4>(bytes));
    }
  }
};
template <>
struct Blocks<DType::kQ4_0> {
  static constexpr int64_t kBytes = 18;
  static constexpr bool kOffset = true;
  static HWY_INLINE void scales(const uint8_t* p, float* s, float* o) {
    *s = half_at(p), *o = -8 * *s;
  }
  static HWY_INLINE void widen(const uint8_t* p, int, V8* w) { Nibbles::widen(p + 2, w); }
};
template <>
struct Blocks<DType::kQ4_1> {
  static constexpr int64_t kBytes = 20;
  static constexpr bool kOffset = true;
  static HWY_INLINE void scales(const uint8_t* p, float* s, float* o) {
    *s = half_at(p), *o = half_at(p + 2);
  }
  static HWY_INLINE void widen(const uint8_t* p, int, V8* w) { Nibbles::widen(p + 4, w); }
};
#if HWY_TARGET != HWY_SCALAR
template <>
struct Blocks<DType::kQ5_0> {
  static constexpr int64_t kBytes = 22;
  static constexpr bool kOffset = true;
  static HWY_INLINE void scales(const uint8_t* p, float* s, float* o) {
    *s = half_at(p), *o = -16 * *s;
  }
  static HWY_INLINE void widen(const uint8_t* p, int, V8* w) {
    const hn::CappedTag<uint8_t, 16> d;
    constexpr size_t kStep = hn::MaxLanes(d);
    alignas(16) static constexpr uint8_t kByte[16] = {0, 0, 0, 0, 0, 0, 0, 0,
                                                      1, 1, 1, 1, 1, 1, 1, 1};
    alignas(16) static constexpr uint8_t kBit[16] = {1, 2, 4, 8, 16, 32, 64, 128,
                                                     1, 2, 4, 8, 16, 32, 64, 128};
    alignas(32) uint8_t levels[32];
    for (size_t i = 0; i < 16; i += kStep) {
      const auto q = hn::LoadU(d, p + 6 + i), bit = hn::Load(d, kBit + i);
      const auto fifth = [&](const uint8_t* two) {  // 16 where a bit of two bytes is set
        uint16_t bits;
        std::memcpy(&bits, two, sizeof bits);
        const auto all = hn::BitCast(d, hn::Set(hn::Repartition<uint16_t, decltype(d)>(), bits));
        const auto mine = hn::TableLookupBytes(all, hn::Load(d, kByte + i));
        return hn::IfThenElseZero(hn::TestBit(mine, bit), hn::Set(d, 16));
      };
      hn::Store(hn::Or(hn::And(q, hn::Set(d, 15)), fifth(p + 2)), d, levels + i);
      hn::Store(hn::Or(hn::ShiftRight<4>(q), fifth(p + 4)), d, levels + 16 + i);
    }
    for (size_t v = 0; v < kVectors; ++v) w[v] = signed_bytes_at(levels + v * kLanes8);
  }
};
#endif
template <>
struct Blocks<DType::kQ8_0> {
  static constexpr int64_t kBytes = 34;
  static constexpr bool kOffset = false;
  static HWY_INLINE void scales(const uint8_t* p, float* s, float*) { *s = half_at(p); }
  static HWY_INLINE void widen(const uint8_t* p, int, V8* w) {
    for (size_t v = 0; v < kVectors; ++v) w[v] = signed_bytes_at(p + 2 + v * kLanes8);
  }
};
template <>
struct Blocks<DType::kQ4_K> {
  static constexpr int64_t kBytes = 144;
  static constexpr bool kOffset = true;
  static HWY_INLINE void scales(const uint8_t* p, float* s, float* o) {
    // Twelve bytes: six bits of each scale and minimum, of the last four in two places.
    uint32_t word[3];
    std::memcpy(word, p + 4, sizeof word);
    const uint32_t six[4] = {
        word[0] & 0x3f3f3f3f, (word[2] & 0x0f0f0f0f) | ((word[0] >> 2) & 0x30303030),
        word[1] & 0x3f3f3f3f, ((word[2] >> 4) & 0x0f0f0f0f) | ((word[1] >> 2) & 0x30303030)};
    const auto* bytes = reinterpret_cast<const uint8_t*>(six);
    const V8 d = hn::Set(D8(), half_at(p)), m = hn::Set(D8(), -half_at(p + 2));
    for (size_t i = 0; i < 8; i += kLanes8) {
      hn::StoreU(hn::Mul(d, hn::ConvertTo(D8(), bytes_at(bytes + i))), D8(), s + i);
      hn::StoreU(hn::Mul(m, hn::ConvertTo(D8(), bytes_at(bytes + 8 + i))), D8(), o + i);
    }
  }
  static HWY_INLINE void widen(const uint8_t* p, int part, V8* w) {
    const uint8_t* q = p + 16 + part / 2 * 32;
    const auto low = hn::Set(hn::Rebind<int32_t, D8>(), 15);
    for (size_t v = 0; v < kVectors; ++v) {
      const auto bytes = bytes_at(q + v * kLanes8);
      w[v] = hn::ConvertTo(D8(), part % 2 == 0 ? hn::And(bytes, low) : hn::ShiftRight<4>(bytes));
    }
  }
};
// Weights of a block and its parts of 32.
template <DType kType>
constexpr int kParts = kType == DType::kQ4_K ? 8 : 1;

// Calls f(kind) with a Blocks<> of the type if there is one; returns whether.
template <class F>
HWY_INLINE bool with_blocks(DType dtype, const F& f) {
  switch (dtype) {
    case DType::kQ4_0:
      return f(std::integral_constant<DType, DType::kQ4_0>()), true;
    case DType::kQ4_1:
      return f(std::integral_constant<DType, DType::kQ4_1>()), true;
#if HWY_TARGET != HWY_SCALAR
    case DType::kQ5_0:
      return f(std::integral_constant<DType, DType::kQ5_0>()), true;
#endif
    case DType::kQ8_0:
      return f(std::integral_constant<DType, DType::kQ8_0>()), true;
    case DType::kQ4_K:
      return f(std::integral_constant<DType, DType::kQ4_K>()), true;
    default:
      return false;
  }
}

// Blocks at p -> float32 y [n].
template <DType kType>
HWY_INLINE void dequantise_row(const uint8_t* p, int64_t n, float* y) {
  using B = Blocks<kType>;
  const D8 d;
  for (int64_t b = 0; b < n / (32 * kParts<kType>); ++b, p += B::kBytes) {
    float scale[kParts<kType>], offset[kParts<kType>] = {};
    B::scales(p, scale, offset);
#pragma GCC unroll 8
    for (int part = 0; part < kParts<kType>; ++part, y += 32) {
      V8 w[kVectors];
      B::widen(p, part, w);
      const V8 s = hn::Set(d, scale[part]), o = hn::Set(d, offset[part]);
#pragma GCC unroll 8
      for (size_t v = 0; v < kVectors; ++v)
        hn::StoreU(B::kOffset ? hn::MulAdd(w[v], s, o) : hn::Mul(w[v], s), d, y + v * kLanes8);
    }
  }
}

}  // namespace
}  // namespace expunge::tensor::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
