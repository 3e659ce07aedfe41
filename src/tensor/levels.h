// What is in the blocks of every quantised format: whole numbers of eight bits, with a scale and an
// offset for each 16 of them. Products read these; dequantise() is scale * level + offset.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "tensor/quant.h"

namespace expunge::tensor {

// Up to 256 weights: weight i is scale[i / 16] * level[i] + offset[i / 16].
struct Levels {
  static constexpr size_t kMax = 256, kGroup = 16;
  alignas(64) std::array<int8_t, kMax> level;
  alignas(64) std::array<float, kMax / kGroup> scale, offset;

  void set_scale(size_t first_group, size_t n, float s, float o = 0) {
    for (size_t g = first_group; g < first_group + n; ++g) scale[g] = s, offset[g] = o;
  }
};

struct Unpacker {
  // `blocks` blocks at p, of kMax weights at most, to y.
  void (*unpack)(const uint8_t* p, size_t blocks, Levels& y) = nullptr;
  bool has_offset = false;  // else all offsets are 0
};
// Without a function for numbers that are not in blocks: F32, F16, BF16, the whole numbers, F64.
const Unpacker& unpacker(DType dtype);

}  // namespace expunge::tensor
