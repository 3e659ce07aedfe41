// Squares of a gradient, added up as it comes, each number read once.
#pragma once

#include <cstdint>

namespace expunge::tensor::kernels {

// sums [n] += g²; g [n].
void add_squares(const float* g, int64_t n, float* sums);

// sums [rows] += Σ over columns of g² / divisor; g and divisor [rows,columns].
void add_square_ratios(const float* g, const float* divisor, int64_t rows, int64_t columns,
                       double* sums);

}  // namespace expunge::tensor::kernels
