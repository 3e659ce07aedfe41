// A matrix as its file stores it: float32 or blocks, mapped, never copied. Products read it as it
// lies; float32 values are made where they are asked for and live as long as the caller keeps them.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "tensor/quant.h"
#include "tensor/tensor.h"

namespace expunge::tensor {

struct StoredMatrix {
  DType dtype = DType::kF32;
  std::span<const std::byte> bytes;  // rows after one another, each of whole blocks
  int64_t rows = 0, columns = 0;     // [O,I]
  int64_t row_bytes() const { return static_cast<int64_t>(bytes.size()) / rows; }
};

// A float32 matrix as one; its rows must be contiguous, and it must outlive the result.
StoredMatrix stored(const Tensor& matrix);

// Rows of values [O,I] as blocks of a type that can be written; CHECKs that I is whole blocks.
// Errors: kNumeric for values that blocks cannot hold.
base::Result<std::string> quantised(DType dtype, const Tensor& values);
// float32 values of a tensor in a file, in parallel; `bytes` has whole blocks of the shape's size.
Tensor dequantised(DType dtype, std::span<const std::byte> bytes, at::IntArrayRef shape);
Tensor dequantised(const StoredMatrix& m);                           // [O,I]
Tensor dequantised_rows(const StoredMatrix& m, const Tensor& rows);  // rows [n] int64 -> [n,I]
// Calls use(first, values [n,I]) for pieces of a few MB, in order.
void for_each_piece(const StoredMatrix& m,
                    const std::function<void(int64_t first, const Tensor& values)>& use);

// x [n,I] mᵀ -> [n,O], in parallel; n >= 1.
Tensor times_transposed(const Tensor& x, const StoredMatrix& m);

}  // namespace expunge::tensor
