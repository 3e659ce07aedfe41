// Causal attention over a pool of keys and values, one slot a token, for packed rows of many
// sequences, forward and backward.
#pragma once

#include <cstdint>
#include <span>

namespace expunge::tensor::kernels {

// What a query row sees: the first n_visible entries of its sequence's slot list, less the first
// n_hidden, which lie before its window.
struct AttentionRow {
  const int32_t* slots;
  int32_t n_visible;
  int32_t n_hidden = 0;
};
struct AttentionShape {
  int64_t n_heads;     // N
  int64_t n_kv_heads;  // G, divides N
  int64_t head_dim;    // K
  float scale;
};

// q [rows,N,K], k_pool and v_pool [slots,G,K] -> out [rows,N,K] = softmax(scale q kᵀ) v.
void attention(std::span<const AttentionRow> rows, const float* q, const float* k_pool,
               const float* v_pool, const AttentionShape& shape, float* out);
// The same, and lse [rows,N] = log Σ exp(scale q kᵀ), which attention_backward() needs.
void attention(std::span<const AttentionRow> rows, const float* q, const float* k_pool,
               const float* v_pool, const AttentionShape& shape, float* out, float* lse);
// The same in plain loops and float64: the kernel's twin in tests.
void attention_plain(std::span<const AttentionRow> rows, const float* q, const float* k_pool,
                     const float* v_pool, const AttentionShape& shape, float* out);

// d out [rows,N,K] -> dq [rows,N,K] and dk, dv [slots,G,K], zeros for slots that no row sees; out
// and lse are attention()'s (FlashAttention, Dao et al. 2022, alg. 4). The same bits with any
// number of threads.
struct AttentionGradients {
  float *dq, *dk, *dv;
};
void attention_backward(std::span<const AttentionRow> rows, const float* q, const float* k_pool,
                        const float* v_pool, const AttentionShape& shape, const float* out,
                        const float* lse, const float* dout, int64_t n_slots,
                        const AttentionGradients& gradients);

}  // namespace expunge::tensor::kernels
