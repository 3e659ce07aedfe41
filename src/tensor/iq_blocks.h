// Dequantisation of GGUF's formats whose levels are not evenly spaced (IQ1 to IQ4, MXFP4) and of
// the ternary ones (TQ1_0, TQ2_0). Quantisation to them is not here: llama.cpp needs an importance
// matrix for most of them. A part of quant.cc, which checks the sizes and gives the table of types.
//
// Each function reads `blocks` blocks from p and writes their weights to y [blocks, weights a
// block], float32. Every index has as many bits as its grid has rows for, so any bytes are within
// bounds; scales that are not finite give values that are not finite. Layouts:
// ggml/src/ggml-common.h; order of the operations, and so the bits: gguf/quants.py (MIT).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "tensor/iq_grids.h"
#include "tensor/quant_bits.h"

namespace expunge::tensor::blocks {

// y [kWeights] = scale * row; bit i of `signs` makes weight i negative.
template <size_t kWeights>
inline void signed_row(float scale, const std::array<int8_t, kWeights>& row, uint32_t signs,
                       float* y) {
  for (size_t i = 0; i < kWeights; ++i) {
    const float value = scale * static_cast<float>(row[i]);
    y[i] = ((signs >> i) & 1) != 0 ? -value : value;
  }
}

// Eight signs of which seven bits are stored: the number of negative ones is even.
inline uint32_t even_signs(uint32_t bits) {
  const uint32_t seven = bits & 127;
  return seven | (static_cast<uint32_t>(std::popcount(seven) & 1) << 7);
}

// y [32] = d * levels[q]: the low halves of q [16] are the first 16 weights.
inline void nibble_levels(float d, const std::array<int8_t, 16>& levels, const uint8_t* q,
                          float* y) {
  for (int i = 0; i < 16; ++i) {
    y[i] = d * static_cast<float>(levels[q[i] & 15]);
    y[16 + i] = d * static_cast<float>(levels[q[i] >> 4]);
  }
}

// In what follows a group is 8 weights: a block has 32.

// d f16; then for each 32 weights: four indices, and 4 x 7 bits of signs under a scale of 4 bits.
inline void from_iq2_xxs(const uint8_t* p, size_t blocks, float* y) {
  for (size_t b = 0; b < blocks; ++b, p += 66, y += 256) {
    const float d = half_at(p);
    for (int group = 0; group < 32; ++group) {
      const uint8_t* sub = p + 2 + group / 4 * 8;
      const auto bits = load<uint32_t>(sub + 4);
      const float scale = d * (0.5F + static_cast<float>(bits >> 28)) * 0.25F;
      signed_row(scale, kIQ2XXS[sub[group % 4]], even_signs(bits >> (group % 4 * 7)),
                 y + group * 8);
    }
  }
}

// d f16; u16[32]: an index of 9 bits under 7 bits of signs; u4[16] scales.
inline void from_iq2_xs(const uint8_t* p, size_t blocks, float* y) {
  for (size_t b = 0; b < blocks; ++b, p += 74, y += 256) {
    const float d = half_at(p);
    for (int group = 0; group < 32; ++group) {
      const uint32_t q = load<uint16_t>(p + 2 + group * 2);
      const float scale = d * (0.5F + static_cast<float>(nibble(p + 66, group / 2))) * 0.25F;
      signed_row(scale, kIQ2XS[q & 511], even_signs(q >> 9), y + group * 8);
    }
  }
}

// d f16; u8[32] indices; u8[32] signs; u2[32] high bits of the indices; u4[16] scales.
inline void from_iq2_s(const uint8_t* p, size_t blocks, float* y) {
  for (size_t b = 0; b < blocks; ++b, p += 82, y += 256) {
    const float d = half_at(p);
    for (int group = 0; group < 32; ++group) {
      const uint32_t high = (p[66 + group / 4] >> (group % 4 * 2)) & 3;
      const float scale = d * (0.5F + static_cast<float>(nibble(p + 74, group / 2))) * 0.25F;
      signed_row(scale, kIQ2S[p[2 + group] | (high << 8)], p[34 + group], y + group * 8);
    }
  }
}

// d f16; u8[64] indices; for each 32 weights 4 x 7 bits of signs under a scale of 4 bits.
inline void from_iq3_xxs(const uint8_t* p, size_t blocks, float* y) {
  for (size_t b = 0; b < blocks; ++b, p += 98, y += 256) {
    const float d = half_at(p);
    for (int group = 0; group < 32; ++group) {
      const auto bits = load<uint32_t>(p + 66 + group / 4 * 4);
      const float scale = d * (0.5F + static_cast<float>(bits >> 28)) * 0.5F;
      const uint32_t signs = even_signs(bits >> (group % 4 * 7));
      const uint8_t* q = p + 2 + group * 2;
      signed_row(scale, kIQ3XXS[q[0]], signs, y + group * 8);
      signed_row(scale, kIQ3XXS[q[1]], signs >> 4, y + group * 8 + 4);
    }
  }
}

// d f16; u8[64] indices; u1[64] high bits of the indices; u8[32] signs; u4[8] scales.
inline void from_iq3_s(const uint8_t* p, size_t blocks, float* y) {
  for (size_t b = 0; b < blocks; ++b, p += 110, y += 256) {
    const float d = half_at(p);
    for (int group = 0; group < 32; ++group) {
      const float scale = d * static_cast<float>(1 + 2 * nibble(p + 106, group / 4));
      const uint32_t signs = p[74 + group], high = p[66 + group / 4] >> (group % 4 * 2);
      const uint8_t* q = p + 2 + group * 2;
      signed_row(scale, kIQ3S[q[0] | ((high & 1) << 8)], signs, y + group * 8);
      signed_row(scale, kIQ3S[q[1] | ((high & 2) << 7)], signs >> 4, y + group * 8 + 4);
    }
  }
}

// y [8] = scale * (row + delta), delta 1/8 or -1/8: IQ1_S and IQ1_M.
inline void shifted_row(float scale, uint32_t index, bool down, float* y) {
  const float delta = down ? -0.125F : 0.125F;
  for (size_t i = 0; i < 8; ++i) y[i] = scale * (static_cast<float>(kIQ1S[index][i]) + delta);
}

// d f16; u8[32] indices; u16[8]: 4 x 3 high bits of the indices, a scale of 3 bits, delta's sign.
inline void from_iq1_s(const uint8_t* p, size_t blocks, float* y) {
  for (size_t b = 0; b < blocks; ++b, p += 50, y += 256) {
    const float d = half_at(p);
    for (int group = 0; group < 32; ++group) {
      const uint32_t bits = load<uint16_t>(p + 34 + group / 4 * 2);
      const float scale = d * static_cast<float>(2 * ((bits >> 12) & 7) + 1);
      const uint32_t high = (bits >> (group % 4 * 3)) & 7;
      shifted_row(scale, p[2 + group] | (high << 8), (bits & 0x8000) != 0, y + group * 8);
    }
  }
}

// u8[32] indices; u4[32]: 3 high bits of the index, delta's sign; u16[4]: 4 x 3 bits of scales
// under four bits of d f16, its lowest ones first.
inline void from_iq1_m(const uint8_t* p, size_t blocks, float* y) {
  for (size_t b = 0; b < blocks; ++b, p += 56, y += 256) {
    uint32_t half = 0;
    for (int i = 0; i < 4; ++i)
      half |= static_cast<uint32_t>(load<uint16_t>(p + 48 + 2 * i) >> 12) << (4 * i);
    const float d = half_to_float(static_cast<uint16_t>(half));
    for (int group = 0; group < 32; ++group) {
      const int sub = group / 2;
      const int scale = (load<uint16_t>(p + 48 + sub / 4 * 2) >> (sub % 4 * 3)) & 7;
      const auto bits = static_cast<uint32_t>(nibble(p + 32, group));
      shifted_row(d * static_cast<float>(2 * scale + 1), p[group] | ((bits & 7) << 8),
                  (bits & 8) != 0, y + group * 8);
    }
  }
}

// Blocks of 32. d f16; u4[32].
inline void from_iq4_nl(const uint8_t* p, size_t blocks, float* y) {
  for (size_t b = 0; b < blocks; ++b, p += 18, y += 32)
    nibble_levels(half_at(p), kIQ4Levels, p + 2, y);
}

// d f16; u2[8] high bits and u4[8] low bits of the scales, 32 more than they mean; u4[256].
inline void from_iq4_xs(const uint8_t* p, size_t blocks, float* y) {
  for (size_t b = 0; b < blocks; ++b, p += 136, y += 256) {
    const float d = half_at(p);
    const int high = load<uint16_t>(p + 2);
    for (int sub = 0; sub < 8; ++sub) {
      const int scale = (nibble(p + 4, sub) | (((high >> (2 * sub)) & 3) << 4)) - 32;
      nibble_levels(d * static_cast<float>(scale), kIQ4Levels, p + 8 + sub * 16, y + sub * 32);
    }
  }
}

// Half of an E8M0 scale: the levels are doubled. 2^(e - 128), subnormal below e = 2; e = 255 is not
// the specification's NaN here, as it is not in ggml (ggml_e8m0_to_fp32_half).
inline float half_of_e8m0(uint8_t e) {
  const uint32_t bits = e < 2 ? uint32_t{0x00200000} << e : static_cast<uint32_t>(e - 1) << 23;
  return std::bit_cast<float>(bits);
}

// Blocks of 32. e u8; u4[32].
inline void from_mxfp4(const uint8_t* p, size_t blocks, float* y) {
  for (size_t b = 0; b < blocks; ++b, p += 17, y += 32)
    nibble_levels(half_of_e8m0(*p), kE2M1Levels, p + 1, y);
}

// Digit n in base 3 of what a byte holds, less one: -1, 0 or 1. A number of five digits is stored
// as its share of 243 in units of 1/256, so that times 3 its first digit is what passes 256.
inline float trit(uint8_t byte, int n) {
  constexpr std::array<uint8_t, 5> kPowers = {1, 3, 9, 27, 81};
  const auto rest = static_cast<uint8_t>(byte * kPowers[static_cast<size_t>(n)]);  // modulo 256
  return static_cast<float>((rest * 3 >> 8) - 1);
}

// u8[32] and u8[16], five weights each, u8[4], four each; d f16. Of some bytes all first digits
// come first, then all second ones.
inline void from_tq1_0(const uint8_t* p, size_t blocks, float* y) {
  for (size_t b = 0; b < blocks; ++b, p += 54, y += 256) {
    const float d = half_at(p + 52);
    for (int i = 0; i < 160; ++i) y[i] = d * trit(p[i % 32], i / 32);
    for (int i = 0; i < 80; ++i) y[160 + i] = d * trit(p[32 + i % 16], i / 16);
    for (int i = 0; i < 16; ++i) y[240 + i] = d * trit(p[48 + i % 4], i / 4);
  }
}

// u2[256], one more than they mean, the lowest bits of 32 bytes first; d f16.
inline void from_tq2_0(const uint8_t* p, size_t blocks, float* y) {
  for (size_t b = 0; b < blocks; ++b, p += 66, y += 256) {
    const float d = half_at(p + 64);
    for (int i = 0; i < 256; ++i) {
      const int value = (p[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2)) & 3;
      y[i] = d * static_cast<float>(value - 1);
    }
  }
}

}  // namespace expunge::tensor::blocks
