// Little-endian fields of a block, bits spread over bytes, and float16 to and from float32. Bits
// alone: no lookups, no rounding mode.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

// Each clone is chosen at load time by what the processor has; sanitizers are not ready then.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define EXPUNGE_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define EXPUNGE_CLONES
#endif

namespace expunge::tensor::blocks {

// Exact; NaN payloads are kept.
inline float half_to_float(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16;
  const uint32_t exponent = (h >> 10) & 31, mantissa = h & 0x3ff;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000 | (mantissa << 13));
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

inline uint16_t float_to_half(float f) {  // to nearest, ties to even
  const uint32_t bits = std::bit_cast<uint32_t>(f);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000)
    return sign | 0x7e00 | static_cast<uint16_t>((magnitude >> 13) & 0x3ff);
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {  // subnormal: adding 0.5 aligns the mantissa and rounds it
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
    return sign | static_cast<uint16_t>(std::bit_cast<uint32_t>(shifted) - 0x3f000000);
  }
  const uint32_t odd = (magnitude >> 13) & 1;
  return sign | static_cast<uint16_t>((magnitude - 0x38000000 + 0xfff + odd) >> 13);
}

// A field of a block: no alignment is asked of p.
template <class T>
inline T load(const uint8_t* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}
inline float half_at(const uint8_t* p) { return half_to_float(load<uint16_t>(p)); }

// Eight bytes, `value` where a bit of the index is set.
consteval std::array<uint64_t, 256> spread_bits(uint64_t value) {
  std::array<uint64_t, 256> table{};
  for (size_t bits = 0; bits < 256; ++bits)
    for (size_t i = 0; i < 8; ++i)
      if (bits >> i & 1) table[bits] |= value << (8 * i);
  return table;
}
inline constexpr auto kFifthBits = spread_bits(16);

// Field i of four bits, the low half of a byte first.
inline int nibble(const uint8_t* p, size_t i) { return (p[i / 2] >> (i % 2 * 4)) & 15; }

}  // namespace expunge::tensor::blocks
