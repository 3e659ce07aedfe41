// Reads and computes at the speed of the machine: the denominators of the benchmark, and a quick
// check of values.
#pragma once

#include <cstdint>
#include <span>

namespace expunge::tensor::kernels {

// Sum of all values, read once by all threads: the fastest way through memory there is.
float read_all(std::span<const float> values);

// Runs fused multiply-adds on registers alone in every thread; returns the floating-point
// operations done (two a multiply-add and lane). `rounds` sets the length.
double run_fma(int64_t rounds);

}  // namespace expunge::tensor::kernels
