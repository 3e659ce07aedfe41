// Unpacking of GGUF's formats with evenly spaced levels (Q4_0 to Q8_0 and the K formats). A part of
// quant.cc, which checks the sizes and gives the table of types; the other formats: iq_blocks.h.
//
// Each function reads `blocks` blocks from p; the K formats, of 256 weights, get one at a time.
// Loops over bytes, which become vectors. Layouts: ggml/src/ggml-common.h; order of the operations,
// and so the bits: gguf/quants.py (MIT).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tensor/levels.h"
#include "tensor/quant_bits.h"

namespace expunge::tensor::blocks {

using Bytes = std::array<uint8_t, 16>;
// y [32] = the low halves of q, then the high ones, less `zero`.
inline void unpack_nibbles(const Bytes& q, int zero, int8_t* y) {
#pragma GCC unroll 1
  for (size_t i = 0; i < 16; ++i) y[i] = static_cast<int8_t>((q[i] & 15) - zero);
#pragma GCC unroll 1
  for (size_t i = 0; i < 16; ++i) y[16 + i] = static_cast<int8_t>((q[i] >> 4) - zero);
}
// y [32] + 16 where a bit of `fifth` [4] is set.
inline void add_fifth_bits(const uint8_t* fifth, int8_t* y) {
  for (size_t i = 0; i < 4; ++i) {
    auto eight = load<uint64_t>(reinterpret_cast<const uint8_t*>(y + 8 * i));
    eight |= kFifthBits[fifth[i]];
    std::memcpy(y + 8 * i, &eight, sizeof eight);
  }
}
EXPUNGE_CLONES inline void unpack_q4_0(const uint8_t* p, size_t blocks, Levels& y) {
  for (size_t b = 0; b < blocks; ++b, p += 18) {
    y.set_scale(2 * b, 2, half_at(p));
    unpack_nibbles(load<Bytes>(p + 2), 8, y.level.data() + 32 * b);
  }
}
EXPUNGE_CLONES inline void unpack_q4_1(const uint8_t* p, size_t blocks, Levels& y) {
  for (size_t b = 0; b < blocks; ++b, p += 20) {
    y.set_scale(2 * b, 2, half_at(p), half_at(p + 2));
    unpack_nibbles(load<Bytes>(p + 4), 0, y.level.data() + 32 * b);
  }
}
EXPUNGE_CLONES inline void unpack_q5_0(const uint8_t* p, size_t blocks, Levels& y) {
  for (size_t b = 0; b < blocks; ++b, p += 22) {
    int8_t* level = y.level.data() + 32 * b;
    y.set_scale(2 * b, 2, half_at(p));
    unpack_nibbles(load<Bytes>(p + 6), 0, level), add_fifth_bits(p + 2, level);
    for (int i = 0; i < 32; ++i) level[i] = static_cast<int8_t>(level[i] - 16);
  }
}
EXPUNGE_CLONES inline void unpack_q5_1(const uint8_t* p, size_t blocks, Levels& y) {
  for (size_t b = 0; b < blocks; ++b, p += 24) {
    int8_t* level = y.level.data() + 32 * b;
    y.set_scale(2 * b, 2, half_at(p), half_at(p + 2));
    unpack_nibbles(load<Bytes>(p + 8), 0, level), add_fifth_bits(p + 4, level);
  }
}
EXPUNGE_CLONES inline void unpack_q8_0(const uint8_t* p, size_t blocks, Levels& y) {
  for (size_t b = 0; b < blocks; ++b, p += 34) {
    y.set_scale(2 * b, 2, half_at(p));
    std::memcpy(y.level.data() + 32 * b, p + 2, 32);
  }
}
// The bits of 16 or 32 weights of one scale lie at the same place of consecutive bytes.
EXPUNGE_CLONES inline void unpack_q2_k(const uint8_t* __restrict p, size_t, Levels& y) {
  const float d = half_at(p + 80), dmin = half_at(p + 82);
  for (size_t sub = 0; sub < 16; ++sub)
    y.set_scale(sub, 1, d * static_cast<float>(p[sub] & 15),
                -(dmin * static_cast<float>(p[sub] >> 4)));
  for (int part = 0; part < 8; ++part)
    for (int i = 0; i < 32; ++i)
      y.level[static_cast<size_t>(part * 32 + i)] =
          static_cast<int8_t>((p[16 + part / 4 * 32 + i] >> (part % 4 * 2)) & 3);
}
EXPUNGE_CLONES inline void unpack_q3_k(const uint8_t* __restrict p, size_t, Levels& y) {
  const uint8_t* s = p + 96;
  const float d = half_at(p + 108);
  for (size_t sub = 0; sub < 16; ++sub) {
    const int low = sub < 8 ? s[sub] & 15 : s[sub - 8] >> 4;
    const int high = (s[8 + sub % 4] >> (sub / 4 * 2)) & 3;
    y.set_scale(sub, 1, d * static_cast<float>((low | (high << 4)) - 32));
  }
  for (int part = 0; part < 8; ++part)
    for (int i = 0; i < 32; ++i) {
      const int two = (p[32 + part / 4 * 32 + i] >> (part % 4 * 2)) & 3;
      y.level[static_cast<size_t>(part * 32 + i)] =
          static_cast<int8_t>((two | ((p[i] >> part) & 1) << 2) - 4);
    }
}
// The six-bit scale and minimum of sub-block `sub`, shared by Q4_K and Q5_K.
inline void set_scale_min(const uint8_t* p, Levels& y) {
  const float d = half_at(p), dmin = half_at(p + 2);
  const uint8_t* s = p + 4;
  for (size_t sub = 0; sub < 8; ++sub) {
    const int scale = sub < 4 ? s[sub] & 63 : (s[sub + 4] & 15) | ((s[sub - 4] >> 2) & 48);
    const int minimum = sub < 4 ? s[sub + 4] & 63 : (s[sub + 4] >> 4) | ((s[sub] >> 2) & 48);
    y.set_scale(2 * sub, 2, d * static_cast<float>(scale), -(dmin * static_cast<float>(minimum)));
  }
}
EXPUNGE_CLONES inline void unpack_q4_k(const uint8_t* __restrict p, size_t, Levels& y) {
  set_scale_min(p, y);
  for (int sub = 0; sub < 8; ++sub)
    for (int i = 0; i < 32; ++i)
      y.level[static_cast<size_t>(sub * 32 + i)] =
          static_cast<int8_t>((p[16 + sub / 2 * 32 + i] >> (sub % 2 * 4)) & 15);
}
EXPUNGE_CLONES inline void unpack_q5_k(const uint8_t* __restrict p, size_t, Levels& y) {
  set_scale_min(p, y);
  for (int sub = 0; sub < 8; ++sub)
    for (int i = 0; i < 32; ++i) {
      const int four = (p[48 + sub / 2 * 32 + i] >> (sub % 2 * 4)) & 15;
      y.level[static_cast<size_t>(sub * 32 + i)] =
          static_cast<int8_t>(four | ((p[16 + i] >> sub) & 1) << 4);
    }
}
EXPUNGE_CLONES inline void unpack_q6_k(const uint8_t* __restrict p, size_t, Levels& y) {
  const float d = half_at(p + 208);
  for (size_t sub = 0; sub < 16; ++sub)
    y.set_scale(sub, 1, d * static_cast<float>(static_cast<int8_t>(p[192 + sub])));
  for (int part = 0; part < 8; ++part)
    for (int i = 0; i < 32; ++i) {
      const int four = (p[part / 4 * 64 + part % 2 * 32 + i] >> (part % 4 / 2 * 4)) & 15;
      const int two = (p[128 + part / 4 * 32 + i] >> (part % 4 * 2)) & 3;
      y.level[static_cast<size_t>(part * 32 + i)] = static_cast<int8_t>((four | two << 4) - 32);
    }
}

}  // namespace expunge::tensor::blocks
