// Sums of squares of a gradient, each number read once.
#pragma once

#include <cstdint>

namespace expunge::tensor::kernels {

// Σ g², in float64 and in one order on any number of threads; g [n].
double sum_of_squares(const float* g, int64_t n);

// sums [n] += g²; g [n].
void add_squares(const float* g, int64_t n, float* sums);

// sums [rows] += Σ over columns of g² / divisor; g and divisor [rows,columns].
void add_square_ratios(const float* g, const float* divisor, int64_t rows, int64_t columns,
                       double* sums);

}  // namespace expunge::tensor::kernels
