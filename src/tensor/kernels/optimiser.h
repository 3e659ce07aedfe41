// One optimiser step in one read and write of each number.
#pragma once

#include <cstdint>

namespace expunge::tensor::kernels {

// AdamW (Loshchilov and Hutter 2019, algorithm 2), of step `step` = 1, 2, …
struct AdamW {
  double lr, beta1, beta2, eps, weight_decay;
  int64_t step;
  double gradient_scale = 1;  // the gradient is multiplied by it first (clipping)
};
// weight, mean and square [n] are updated; gradient [n].
void adamw(const AdamW& how, const float* gradient, int64_t n, float* weight, float* mean,
           float* square);

}  // namespace expunge::tensor::kernels
