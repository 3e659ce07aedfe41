// The small per-row operations between the matrix products of a block, one pass over memory each.
#pragma once

#include <cstdint>

namespace expunge::tensor::kernels {

// y = x / sqrt(mean(x²) + eps) * weight; x, y [rows,D] (RMSNorm, Zhang and Sennrich 2019, eq. 4).
void rms_norm(const float* x, const float* weight, int64_t rows, int64_t d, float eps, float* y);

// Rotates the first n_rotary components of each head of x [rows,heads,K] in place (rotate_half
// order): pairs (i, i + n_rotary/2) by the angles of the row; cos, sin [rows,n_rotary/2].
struct RopeShape {
  int64_t rows, heads, head_dim, n_rotary;
  RopeShape with_heads(int64_t n) const { return {rows, n, head_dim, n_rotary}; }
};
void rope(float* x, const RopeShape& shape, const float* cos, const float* sin);

// y = silu(gate) * up, n elements; y may be gate.
void swiglu(const float* gate, const float* up, int64_t n, float* y);
// y = gelu(gate) * up with the tanh form: 0.5 g (1 + tanh(√(2/π) (g + 0.044715 g³))).
void geglu(const float* gate, const float* up, int64_t n, float* y);

// Gradients of y = rms_norm(x): dx [rows,D]; adds to dweight [D] unless it is null. The same bits
// with any number of threads.
void rms_norm_backward(const float* x, const float* weight, const float* dy, int64_t rows,
                       int64_t d, float eps, float* dx, float* dweight);

// Gradients of y = swiglu(gate, up): dgate and dup, n elements; either may be dy.
void swiglu_backward(const float* gate, const float* up, const float* dy, int64_t n, float* dgate,
                     float* dup);

// y = a + b, n elements; y may be a.
void add(const float* a, const float* b, int64_t n, float* y);

}  // namespace expunge::tensor::kernels
