#include "tensor/kernels/probe.h"

#include <atomic>

#include "tensor/kernels/pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/probe.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace expunge::tensor::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;

float sum_target(const float* values, int64_t n) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto s0 = hn::Zero(d), s1 = hn::Zero(d), s2 = hn::Zero(d), s3 = hn::Zero(d);
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    s0 = hn::Add(s0, hn::LoadU(d, values + i));
    s1 = hn::Add(s1, hn::LoadU(d, values + i + lanes));
    s2 = hn::Add(s2, hn::LoadU(d, values + i + 2 * lanes));
    s3 = hn::Add(s3, hn::LoadU(d, values + i + 3 * lanes));
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
  for (; i < n; ++i) sum += values[i];
  return sum;
}

// Ten independent chains hide the latency of a multiply-add. They begin at different values, or the
// compiler would see that they are one.
float fma_target(int64_t rounds) {
  const D d;
  const auto a = hn::Set(d, 0.999F), b = hn::Set(d, 0.001F);
  const auto start = [&](float value) { return hn::Set(d, value); };
  auto c0 = start(0), c1 = start(1), c2 = start(2), c3 = start(3), c4 = start(4), c5 = start(5),
       c6 = start(6), c7 = start(7), c8 = start(8), c9 = start(9);
  for (int64_t i = 0; i < rounds; ++i) {
    c0 = hn::MulAdd(c0, a, b), c1 = hn::MulAdd(c1, a, b), c2 = hn::MulAdd(c2, a, b);
    c3 = hn::MulAdd(c3, a, b), c4 = hn::MulAdd(c4, a, b), c5 = hn::MulAdd(c5, a, b);
    c6 = hn::MulAdd(c6, a, b), c7 = hn::MulAdd(c7, a, b), c8 = hn::MulAdd(c8, a, b);
    c9 = hn::MulAdd(c9, a, b);
  }
  const auto x = hn::Add(hn::Add(hn::Add(c0, c1), hn::Add(c2, c3)),
                         hn::Add(hn::Add(c4, c5), hn::Add(hn::Add(c6, c7), hn::Add(c8, c9))));
  return hn::GetLane(hn::SumOfLanes(d, x));
}

int64_t lanes_target() { return static_cast<int64_t>(hn::Lanes(D())); }

}  // namespace
}  // namespace expunge::tensor::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace expunge::tensor::kernels {

HWY_EXPORT(sum_target);
HWY_EXPORT(fma_target);
HWY_EXPORT(lanes_target);

float read_all(std::span<const float> values) {
  std::atomic<float> total = 0;
  const auto n = static_cast<int64_t>(values.size());
  parallel_for(0, n, int64_t{1} << 16, [&](int64_t begin, int64_t end) {
    total += HWY_DYNAMIC_DISPATCH(sum_target)(values.data() + begin, end - begin);
  });
  return total;
}

double run_fma(int64_t rounds) {
  const int64_t n = n_threads();
  std::atomic<float> sink = 0;  // keeps the loop alive
  parallel_for(0, n, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) sink += HWY_DYNAMIC_DISPATCH(fma_target)(rounds);
  });
  const auto lanes = static_cast<double>(HWY_DYNAMIC_DISPATCH(lanes_target)());
  return 2 * 10 * lanes * static_cast<double>(rounds) * static_cast<double>(n);
}

}  // namespace expunge::tensor::kernels
#endif
