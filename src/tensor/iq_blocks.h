// Unpacking of GGUF's formats whose levels are not evenly spaced (IQ1 to IQ4, MXFP4) and of the
// ternary ones (TQ1_0, TQ2_0). Quantisation to them is not here: llama.cpp needs an importance
// matrix for most of them. A part of quant.cc, which checks the sizes and gives the table of types.
//
// Each function reads `blocks` blocks from p; formats of 256 weights get one block at a time. Every
// index has as many bits as its grid has rows for, so any bytes are within bounds; scales that are
// not finite give values that are not finite. Layouts: ggml/src/ggml-common.h; order of the
// operations, and so the bits: gguf/quants.py (MIT).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tensor/iq_grids.h"
#include "tensor/levels.h"
#include "tensor/quant_bits.h"

namespace expunge::tensor::blocks {

inline constexpr auto kSignBytes = spread_bits(0xff);  // -1 where a bit is set

// y [8] = row, negative where a bit of `signs` is set. No level of a row is 0, so no byte carries.
inline void signed_row(uint64_t row, uint32_t signs, int8_t* y) {
  const uint64_t minus = kSignBytes[signs & 255];
  const uint64_t result = (row ^ minus) + (minus & 0x0101010101010101);
  std::memcpy(y, &result, sizeof result);
}
inline void signed_row(const std::array<int8_t, 8>& row, uint32_t signs, int8_t* y) {
  signed_row(std::bit_cast<uint64_t>(row), signs, y);
}
inline void signed_rows(const std::array<int8_t, 4>& a, const std::array<int8_t, 4>& b,
                        uint32_t signs, int8_t* y) {
  signed_row(std::bit_cast<uint32_t>(a) | uint64_t{std::bit_cast<uint32_t>(b)} << 32, signs, y);
}

// Eight signs of which seven bits are stored: the number of negative ones is even.
consteval std::array<uint8_t, 128> even_sign_table() {
  std::array<uint8_t, 128> table{};
  for (uint32_t i = 0; i < 128; ++i)
    table[i] = static_cast<uint8_t>(i | (static_cast<uint32_t>(std::popcount(i)) & 1) << 7);
  return table;
}
inline constexpr auto kEvenSigns = even_sign_table();
inline uint32_t even_signs(uint32_t bits) { return kEvenSigns[bits & 127]; }

// The levels of both halves of every byte, the low half's first.
using Pairs = std::array<std::array<int8_t, 2>, 256>;
consteval Pairs pairs_of(const std::array<int8_t, 16>& levels) {
  Pairs pairs{};
  for (size_t byte = 0; byte < 256; ++byte) pairs[byte] = {levels[byte & 15], levels[byte >> 4]};
  return pairs;
}
inline constexpr Pairs kIQ4Pairs = pairs_of(kIQ4Levels), kE2M1Pairs = pairs_of(kE2M1Levels);

// y [32] = the levels of the low halves of q [16], then of the high ones.
inline void unpack_nibbles(const Pairs& pairs, const uint8_t* q, int8_t* y) {
  std::array<int8_t, 32> result;  // a store to y could change q, for all that a compiler knows
  for (size_t i = 0; i < 16; ++i) result[i] = pairs[q[i]][0], result[16 + i] = pairs[q[i]][1];
  std::memcpy(y, result.data(), result.size());
}

// In what follows a group is 8 weights: a block has 32.

// d f16; then for each 32 weights: four indices, and 4 x 7 bits of signs under a scale of 4 bits.
inline void unpack_iq2_xxs(const uint8_t* p, size_t, Levels& y) {
  const float d = half_at(p);
  for (size_t sub = 0; sub < 8; ++sub) {
    const uint8_t* q = p + 2 + sub * 8;
    const auto bits = load<uint32_t>(q + 4);
    y.set_scale(2 * sub, 2, d * (0.5F + static_cast<float>(bits >> 28)) * 0.25F);
    for (size_t i = 0; i < 4; ++i)
      signed_row(kIQ2XXS[q[i]], even_signs(bits >> (i * 7)), y.level.data() + 32 * sub + 8 * i);
  }
}

// d f16; u16[32]: an index of 9 bits under 7 bits of signs; u4[16] scales.
inline void unpack_iq2_xs(const uint8_t* p, size_t, Levels& y) {
  const float d = half_at(p);
  for (size_t sub = 0; sub < 16; ++sub)
    y.set_scale(sub, 1, d * (0.5F + static_cast<float>(nibble(p + 66, sub))) * 0.25F);
  for (size_t group = 0; group < 32; ++group) {
    const uint32_t q = load<uint16_t>(p + 2 + group * 2);
    signed_row(kIQ2XS[q & 511], even_signs(q >> 9), y.level.data() + 8 * group);
  }
}

// d f16; u8[32] indices; u8[32] signs; u2[32] high bits of the indices; u4[16] scales.
inline void unpack_iq2_s(const uint8_t* p, size_t, Levels& y) {
  const float d = half_at(p);
  for (size_t sub = 0; sub < 16; ++sub)
    y.set_scale(sub, 1, d * (0.5F + static_cast<float>(nibble(p + 74, sub))) * 0.25F);
  for (size_t group = 0; group < 32; ++group) {
    const uint32_t high = (p[66 + group / 4] >> (group % 4 * 2)) & 3;
    signed_row(kIQ2S[p[2 + group] | (high << 8)], p[34 + group], y.level.data() + 8 * group);
  }
}

// d f16; u8[64] indices; for each 32 weights 4 x 7 bits of signs under a scale of 4 bits.
inline void unpack_iq3_xxs(const uint8_t* p, size_t, Levels& y) {
  const float d = half_at(p);
  for (size_t sub = 0; sub < 8; ++sub) {
    const auto bits = load<uint32_t>(p + 66 + sub * 4);
    y.set_scale(2 * sub, 2, d * (0.5F + static_cast<float>(bits >> 28)) * 0.5F);
    const uint8_t* q = p + 2 + sub * 8;
    for (size_t i = 0; i < 4; ++i)
      signed_rows(kIQ3XXS[q[2 * i]], kIQ3XXS[q[2 * i + 1]], even_signs(bits >> (i * 7)),
                  y.level.data() + 32 * sub + 8 * i);
  }
}

// d f16; u8[64] indices; u1[64] high bits of the indices; u8[32] signs; u4[8] scales.
inline void unpack_iq3_s(const uint8_t* p, size_t, Levels& y) {
  const float d = half_at(p);
  for (size_t sub = 0; sub < 8; ++sub)
    y.set_scale(2 * sub, 2, d * static_cast<float>(1 + 2 * nibble(p + 106, sub)));
  for (size_t group = 0; group < 32; ++group) {
    const uint32_t high = p[66 + group / 4] >> (group % 4 * 2);
    const uint8_t* q = p + 2 + group * 2;
    signed_rows(kIQ3S[q[0] | ((high & 1) << 8)], kIQ3S[q[1] | ((high & 2) << 7)], p[74 + group],
                y.level.data() + 8 * group);
  }
}

// y [8] = 8 * (row + delta), delta 1/8 or -1/8: IQ1_S and IQ1_M, whose scales are an eighth here.
inline void shifted_row(uint32_t index, bool down, int8_t* __restrict y) {
  const int delta = down ? -1 : 1;
  for (size_t i = 0; i < 8; ++i) y[i] = static_cast<int8_t>(kIQ1S[index][i] * 8 + delta);
}

// d f16; u8[32] indices; u16[8]: 4 x 3 high bits of the indices, a scale of 3 bits, delta's sign.
inline void unpack_iq1_s(const uint8_t* p, size_t, Levels& y) {
  const float d = half_at(p);
  for (size_t sub = 0; sub < 8; ++sub) {
    const uint32_t bits = load<uint16_t>(p + 34 + sub * 2);
    y.set_scale(2 * sub, 2, d * static_cast<float>(2 * ((bits >> 12) & 7) + 1) * 0.125F);
    for (size_t i = 0; i < 4; ++i)
      shifted_row(p[2 + sub * 4 + i] | ((bits >> (i * 3)) & 7) << 8, (bits & 0x8000) != 0,
                  y.level.data() + 32 * sub + 8 * i);
  }
}

// u8[32] indices; u4[32]: 3 high bits of the index, delta's sign; u16[4]: 4 x 3 bits of scales
// under four bits of d f16, its lowest ones first.
inline void unpack_iq1_m(const uint8_t* p, size_t, Levels& y) {
  uint32_t half = 0;
  for (int i = 0; i < 4; ++i)
    half |= static_cast<uint32_t>(load<uint16_t>(p + 48 + 2 * i) >> 12) << (4 * i);
  const float d = half_to_float(static_cast<uint16_t>(half));
  for (size_t sub = 0; sub < 16; ++sub) {
    const int scale = (load<uint16_t>(p + 48 + sub / 4 * 2) >> (sub % 4 * 3)) & 7;
    y.set_scale(sub, 1, d * static_cast<float>(2 * scale + 1) * 0.125F);
  }
  for (size_t group = 0; group < 32; ++group) {
    const auto bits = static_cast<uint32_t>(nibble(p + 32, group));
    shifted_row(p[group] | ((bits & 7) << 8), (bits & 8) != 0, y.level.data() + 8 * group);
  }
}

// Blocks of 32. d f16; u4[32].
inline void unpack_iq4_nl(const uint8_t* p, size_t blocks, Levels& y) {
  for (size_t b = 0; b < blocks; ++b, p += 18) {
    y.set_scale(2 * b, 2, half_at(p));
    unpack_nibbles(kIQ4Pairs, p + 2, y.level.data() + 32 * b);
  }
}

// d f16; u2[8] high bits and u4[8] low bits of the scales, 32 more than they mean; u4[256].
inline void unpack_iq4_xs(const uint8_t* p, size_t, Levels& y) {
  const float d = half_at(p);
  const int high = load<uint16_t>(p + 2);
  for (size_t sub = 0; sub < 8; ++sub) {
    const int scale = (nibble(p + 4, sub) | (((high >> (2 * sub)) & 3) << 4)) - 32;
    y.set_scale(2 * sub, 2, d * static_cast<float>(scale));
    unpack_nibbles(kIQ4Pairs, p + 8 + sub * 16, y.level.data() + 32 * sub);
  }
}

// Half of an E8M0 scale: the levels are doubled. 2^(e - 128), subnormal below e = 2; e = 255 is not
// the specification's NaN here, as it is not in ggml (ggml_e8m0_to_fp32_half).
inline float half_of_e8m0(uint8_t e) {
  const uint32_t bits = e < 2 ? uint32_t{0x00200000} << e : static_cast<uint32_t>(e - 1) << 23;
  return std::bit_cast<float>(bits);
}

// Blocks of 32. e u8; u4[32].
inline void unpack_mxfp4(const uint8_t* p, size_t blocks, Levels& y) {
  for (size_t b = 0; b < blocks; ++b, p += 17) {
    y.set_scale(2 * b, 2, half_of_e8m0(*p));
    unpack_nibbles(kE2M1Pairs, p + 1, y.level.data() + 32 * b);
  }
}

// Digit n in base 3 of what a byte holds, less one: -1, 0 or 1. A number of five digits is stored
// as its share of 243 in units of 1/256, so that times 3 its first digit is what passes 256.
inline int8_t trit(uint8_t byte, size_t n) {
  constexpr std::array<uint8_t, 5> kPowers = {1, 3, 9, 27, 81};
  const auto rest = static_cast<uint8_t>(byte * kPowers[n]);  // modulo 256
  return static_cast<int8_t>((rest * 3 >> 8) - 1);
}

// u8[32] and u8[16], five weights each, u8[4], four each; d f16. Of some bytes all first digits
// come first, then all second ones.
inline void unpack_tq1_0(const uint8_t* p, size_t, Levels& y) {
  y.set_scale(0, 16, half_at(p + 52));
  int8_t* level = y.level.data();
  for (size_t i = 0; i < 160; ++i) level[i] = trit(p[i % 32], i / 32);
  for (size_t i = 0; i < 80; ++i) level[160 + i] = trit(p[32 + i % 16], i / 16);
  for (size_t i = 0; i < 16; ++i) level[240 + i] = trit(p[48 + i % 4], i / 4);
}

// u2[256], one more than they mean, the lowest bits of 32 bytes first; d f16.
inline void unpack_tq2_0(const uint8_t* p, size_t, Levels& y) {
  y.set_scale(0, 16, half_at(p + 64));
  for (size_t i = 0; i < 256; ++i) {
    const int value = (p[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2)) & 3;
    y.level[i] = static_cast<int8_t>(value - 1);
  }
}

}  // namespace expunge::tensor::blocks
