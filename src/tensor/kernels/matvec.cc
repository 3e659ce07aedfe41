#include "tensor/kernels/matvec.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "tensor/kernels/pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/matvec.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "tensor/kernels/blocks-inl.h"

HWY_BEFORE_NAMESPACE();
namespace expunge::tensor::kernels::HWY_NAMESPACE {
namespace {

struct Job {
  const uint8_t* weight;
  const float* x;     // [rows,I]
  const float* sums;  // [rows,I/32], sums of x over blocks; Q4_0 and Q4_1 alone
  int64_t in, out;
  float* y;
};

template <int kRows>
void f32_rows(const Job& job, int64_t begin, int64_t end) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t o = begin; o < end; ++o) {
    const float* w = reinterpret_cast<const float*>(job.weight) + o * job.in;
    for (int r = 0; r < kRows; ++r) {
      const float* x = job.x + r * job.in;
      auto s0 = hn::Zero(d), s1 = hn::Zero(d), s2 = hn::Zero(d), s3 = hn::Zero(d);
      int64_t i = 0;
      for (; i + 4 * lanes <= job.in; i += 4 * lanes) {
        s0 = hn::MulAdd(hn::LoadU(d, w + i), hn::LoadU(d, x + i), s0);
        s1 = hn::MulAdd(hn::LoadU(d, w + i + lanes), hn::LoadU(d, x + i + lanes), s1);
        s2 = hn::MulAdd(hn::LoadU(d, w + i + 2 * lanes), hn::LoadU(d, x + i + 2 * lanes), s2);
        s3 = hn::MulAdd(hn::LoadU(d, w + i + 3 * lanes), hn::LoadU(d, x + i + 3 * lanes), s3);
      }
      for (; i + lanes <= job.in; i += lanes)
        s0 = hn::MulAdd(hn::LoadU(d, w + i), hn::LoadU(d, x + i), s0);
      float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
      for (; i < job.in; ++i) sum += w[i] * x[i];
      job.y[r * job.out + o] = sum;
    }
  }
}

// Σ over the blocks of scale * (q · x) + offset * Σx: a block is widened once for all rows.
template <DType kType, int kRows>
void block_rows(const Job& job, int64_t begin, int64_t end) {
  const D8 d;
  const int64_t blocks = job.in / 32;
  for (int64_t o = begin; o < end; ++o) {
    const uint8_t* p = job.weight + o * blocks * block_bytes(kType);
    V8 sum[kRows];
    float offsets[kRows] = {};
    for (V8& s : sum) s = hn::Zero(d);
    for (int64_t b = 0; b < blocks; ++b, p += block_bytes(kType)) {
      V8 w[kVectors];
      widen<kType>(p, d, w);
      const float scale = half_at(p), offset = block_offset<kType>(p, scale);
      for (int r = 0; r < kRows; ++r) {
        const float* x = job.x + r * job.in + b * 32;
        V8 even = hn::Mul(w[0], hn::LoadU(d, x)), odd = hn::Mul(w[1], hn::LoadU(d, x + kLanes8));
        for (size_t v = 2; v < kVectors; v += 2) {
          even = hn::MulAdd(w[v], hn::LoadU(d, x + v * kLanes8), even);
          odd = hn::MulAdd(w[v + 1], hn::LoadU(d, x + (v + 1) * kLanes8), odd);
        }
        sum[r] = hn::MulAdd(hn::Set(d, scale), hn::Add(even, odd), sum[r]);
        if constexpr (kType != DType::kQ8_0) offsets[r] += offset * job.sums[r * blocks + b];
      }
    }
    for (int r = 0; r < kRows; ++r)
      job.y[r * job.out + o] = hn::GetLane(hn::SumOfLanes(d, sum[r])) + offsets[r];
  }
}

template <int kRows>
void rows_target(DType dtype, const Job& job, int64_t begin, int64_t end) {
  switch (dtype) {
    case DType::kQ4_0:
      return block_rows<DType::kQ4_0, kRows>(job, begin, end);
    case DType::kQ4_1:
      return block_rows<DType::kQ4_1, kRows>(job, begin, end);
    case DType::kQ8_0:
      return block_rows<DType::kQ8_0, kRows>(job, begin, end);
    default:
      return f32_rows<kRows>(job, begin, end);
  }
}

void matvec_target(DType dtype, const uint8_t* weight, const float* x, const float* sums,
                   int64_t rows, int64_t in, int64_t out, int64_t begin, int64_t end, float* y) {
  const Job job{weight, x, sums, in, out, y};
  switch (rows) {
    case 1:
      return rows_target<1>(dtype, job, begin, end);
    case 2:
      return rows_target<2>(dtype, job, begin, end);
    case 3:
      return rows_target<3>(dtype, job, begin, end);
    default:
      return rows_target<4>(dtype, job, begin, end);
  }
}

}  // namespace
}  // namespace expunge::tensor::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace expunge::tensor::kernels {

HWY_EXPORT(matvec_target);

bool widens_in_registers(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kQ4_0 || dtype == DType::kQ4_1 ||
         dtype == DType::kQ8_0;
}

namespace {

// Some rows of the weight as float32, then the product with them.
void matvec_by_rows(DType dtype, const std::byte* weight, const float* x, int64_t rows, int64_t in,
                    int64_t out, float* y) {
  constexpr int64_t kWeightRows = 8;
  const size_t row_bytes = static_cast<size_t>(in) / info(dtype).block * info(dtype).bytes;
  const int64_t grain = std::max<int64_t>(kWeightRows, (int64_t{1} << 14) / in);
  parallel_for(0, out, grain, [&](int64_t begin, int64_t end) {
    thread_local std::vector<float> values;
    values.resize(static_cast<size_t>(kWeightRows * in));
    float sums[kMatvecMaxRows * kWeightRows];
    for (int64_t o = begin; o < end; o += kWeightRows) {
      const int64_t n = std::min(kWeightRows, end - o);
      const auto some = static_cast<size_t>(n);
      dequantise(dtype, {weight + static_cast<size_t>(o) * row_bytes, some * row_bytes},
                 {values.data(), some * static_cast<size_t>(in)});
      HWY_DYNAMIC_DISPATCH(matvec_target)
      (DType::kF32, reinterpret_cast<const uint8_t*>(values.data()), x, nullptr, rows, in, n, 0, n,
       sums);
      for (int64_t r = 0; r < rows; ++r) std::copy_n(sums + r * n, n, y + r * out + o);
    }
  });
}

}  // namespace

void matvec(DType dtype, const std::byte* weight, const float* x, int64_t rows, int64_t in,
            int64_t out, float* y) {
  CHECK(rows >= 1 && rows <= kMatvecMaxRows);
  if (!widens_in_registers(dtype)) return matvec_by_rows(dtype, weight, x, rows, in, out, y);
  std::vector<float> sums;
  if (dtype == DType::kQ4_0 || dtype == DType::kQ4_1) {
    sums.resize(static_cast<size_t>(rows * in / 32));
    for (size_t b = 0; b < sums.size(); ++b)
      for (size_t i = 0; i < 32; ++i) sums[b] += x[b * 32 + i];
  }
  // Several outputs a part: handing one over costs as much as some ten thousand products.
  const int64_t grain = std::max<int64_t>(16, (int64_t{1} << 16) / in);
  parallel_for(0, out, grain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(matvec_target)
    (dtype, reinterpret_cast<const uint8_t*>(weight), x, sums.data(), rows, in, out, begin, end, y);
  });
}

}  // namespace expunge::tensor::kernels
#endif
