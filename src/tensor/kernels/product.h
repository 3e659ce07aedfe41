// Products of float32 matrices in the three forms that training a linear layer takes:
// y = x Wᵀ, dx = dy W, dW += dyᵀ x. (gemm.h does the first faster where nothing is added to y.)
// float32 sums, in order of K: the same bits on any number of threads.
#pragma once

#include <cstdint>

namespace expunge::tensor::kernels {

// Rows of a matrix, `stride` floats apart.
struct Matrix {
  const float* data;
  int64_t stride;
};
enum class Form {
  kNT,  // c [M,N] = a [M,K] b [N,K]ᵀ
  kNN,  // c [M,N] = a [M,K] b [K,N]
  kTN,  // c [M,N] = a [K,M]ᵀ b [K,N]
};
enum class Into { kReplace, kAdd };  // c = a b, c = c + a b
struct ProductSize {
  int64_t m, n, k;
};

void product(Form form, ProductSize size, Matrix a, Matrix b, Into into, float* c,
             int64_t c_stride);

}  // namespace expunge::tensor::kernels
