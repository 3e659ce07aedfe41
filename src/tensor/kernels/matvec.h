// Products of one to four rows with a weight, straight from the blocks of a GGUF: what decode does.
// Blocks are widened exactly, of most types in registers, of the others a row at a time;
// activations and sums are float32.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/quant.h"

namespace expunge::tensor::kernels {

// More rows than this are better served by a float32 matrix product.
inline constexpr int64_t kMatvecMaxRows = 4;

bool widens_in_registers(DType dtype);  // F32, Q4_0, Q4_1, Q8_0
// x [rows,I], weight [O,I] in blocks -> y [rows,O].
void matvec(DType dtype, const std::byte* weight, const float* x, int64_t rows, int64_t in,
            int64_t out, float* y);

}  // namespace expunge::tensor::kernels
