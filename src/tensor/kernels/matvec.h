// Products of one to four rows with a weight, straight from the blocks of a GGUF: what decode does.
// Levels and halves are widened exactly, block by block; activations and sums are float32.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/quant.h"

namespace expunge::tensor::kernels {

// More rows than this are better served by a float32 matrix product.
inline constexpr int64_t kMatvecMaxRows = 4;

// x [rows,I], weight [O,I] in blocks, F32, F16 or BF16 -> y [rows,O].
void matvec(DType dtype, const std::byte* weight, const float* x, int64_t rows, int64_t in,
            int64_t out, float* y);

}  // namespace expunge::tensor::kernels
