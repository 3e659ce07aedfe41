// What scoring needs of a row of logits, in one read of it: no softmax is stored.
#pragma once

#include <cstdint>

namespace expunge::tensor::kernels {

struct SoftmaxStats {
  double log_norm;        // log Σ exp: a logit minus it is its log-probability
  double mean, variance;  // of log-probabilities under the softmax itself (Min-K++, 2404.02936)
  int32_t best;           // the first of the largest logits
};

// kFloatInOrder adds the exponentials of log_norm up in one float32, one after the other, as
// torch's cross-entropy over [B,V,T] does on a processor: 1e-4 nats too low at V = 49152, for
// parity only.
enum class ExpSum { kAccurate, kFloatInOrder };

// logits [rows,V] -> stats [rows].
void softmax_stats(const float* logits, int64_t rows, int64_t vocab, SoftmaxStats* stats,
                   ExpSum exp_sum = ExpSum::kAccurate);

// Probabilities of a row's target and of the likeliest other token, the first of equals.
struct Rivals {
  double target_p, other_p;
  int64_t other;
};
// logits [rows,V], V >= 2 -> rivals [rows].
void rivals(const float* logits, int64_t rows, int64_t vocab, const int64_t* targets,
            Rivals* rivals);

// The backward pass of log softmax(logits)[target] a row: logits [rows,V] become dlogits =
// (1[v = target] − softmax) dvalue, dvalue [rows].
void log_prob_gradient(float* logits, int64_t rows, int64_t vocab, const int64_t* targets,
                       const float* dvalue);

}  // namespace expunge::tensor::kernels
