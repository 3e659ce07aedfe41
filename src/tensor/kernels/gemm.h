// Products of many rows with a weight: what a prompt and a batch of sequences do. Reads the weight
// as it lies, float32 or blocks; only the activations are packed. float32 sums, in order of I.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/quant.h"

namespace expunge::tensor::kernels {

// x [rows,I], weight [O,I] of any type -> y [rows,O] = x weightᵀ. Any number of rows.
void gemm(DType dtype, const std::byte* weight, const float* x, int64_t rows, int64_t in,
          int64_t out, float* y);

}  // namespace expunge::tensor::kernels
