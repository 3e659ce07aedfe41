// What the kernels' tests share: seeded inputs and the bound "ten times the float32 floor".
//
// The floor is the error of the plain definition computed in float32, in order, against the same in
// float64; at least half a unit in the last place of what is summed, for sums that come out exact
// by luck. `condition` is |Σ|terms|| / |Σ terms|: how much a sum cancels.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "golden.h"
#include "tensor/kernels/pool.h"
#include "tensor/tensor.h"

namespace expunge::tensor::kernels {

// The kernels get two threads, the plain definitions one: LibTorch's wait for each other, for ever
// on a busy machine.
inline const bool started = (tensor::start(1), set_pool_threads(2), true);

inline std::vector<float> random_floats(std::mt19937_64& rng, size_t n, double magnitude) {
  std::vector<float> values(n);
  for (float& v : values)
    v = static_cast<float>((static_cast<double>(rng() >> 11) * 0x1p-52 - 1) * magnitude);
  return values;
}

inline void expect_at_floor(const std::vector<float>& got, const std::vector<float>& plain_f32,
                            const std::vector<double>& plain_f64, const std::string& where,
                            double condition = 1) {
  const double floor = std::max(tests::relative_l2(plain_f32, plain_f64), 0x1p-25 * condition);
  EXPECT_LT(tests::relative_l2(got, plain_f64), 10 * floor) << where << ", floor " << floor;
}

}  // namespace expunge::tensor::kernels
