#include "tensor/kernels/matvec.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "tensor/kernels/pool.h"
#include "tensor/levels.h"

#ifndef EXPUNGE_MATVEC_JOB
#define EXPUNGE_MATVEC_JOB
namespace expunge::tensor::kernels {
namespace {

struct Job {
  DType dtype;
  const uint8_t* weight;
  const float* x;  // [rows,I]
  const float*
      sums;  // [rows,I/n], sums of n x each (sum_length_target); of types with offsets alone
  int64_t in, out;
  float* y;
};

}  // namespace
}  // namespace expunge::tensor::kernels
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/matvec.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "tensor/kernels/blocks-inl.h"

HWY_BEFORE_NAMESPACE();
namespace expunge::tensor::kernels::HWY_NAMESPACE {
namespace {

// The lanes of D() from weight i on, as float32.
struct Float32 {
  const float* w;
  template <class D>
  HWY_INLINE hn::Vec<D> load(D d, int64_t i) const {
    return hn::LoadU(d, w + i);
  }
};
template <class T>
struct Narrow {  // hwy::float16_t, hwy::bfloat16_t; converted exactly
  const T* w;
  template <class D>
  HWY_INLINE hn::Vec<D> load(D d, int64_t i) const {
    return hn::PromoteTo(d, hn::LoadU(hn::Rebind<T, D>(), w + i));
  }
};

template <int kRows, class Number, class Weight>
void number_rows(const Job& job, int64_t begin, int64_t end) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t o = begin; o < end; ++o) {
    const Weight w{reinterpret_cast<const Number*>(job.weight) + o * job.in};
    for (int r = 0; r < kRows; ++r) {
      const float* x = job.x + r * job.in;
      auto s0 = hn::Zero(d), s1 = hn::Zero(d), s2 = hn::Zero(d), s3 = hn::Zero(d);
      int64_t i = 0;
      for (; i + 4 * lanes <= job.in; i += 4 * lanes) {
        s0 = hn::MulAdd(w.load(d, i), hn::LoadU(d, x + i), s0);
        s1 = hn::MulAdd(w.load(d, i + lanes), hn::LoadU(d, x + i + lanes), s1);
        s2 = hn::MulAdd(w.load(d, i + 2 * lanes), hn::LoadU(d, x + i + 2 * lanes), s2);
        s3 = hn::MulAdd(w.load(d, i + 3 * lanes), hn::LoadU(d, x + i + 3 * lanes), s3);
      }
      for (; i + lanes <= job.in; i += lanes)
        s0 = hn::MulAdd(w.load(d, i), hn::LoadU(d, x + i), s0);
      float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
      for (; i < job.in; ++i) sum += hn::GetLane(w.load(one, i)) * x[i];
      job.y[r * job.out + o] = sum;
    }
  }
}

// Σ over the parts of scale * (level · x) + offset * Σx: a part is widened once for all rows.
template <DType kType, int kRows>
void block_rows(const Job& job, int64_t begin, int64_t end) {
  using B = Blocks<kType>;
  const D8 d;
  constexpr int kN = kParts<kType>;
  const int64_t blocks = job.in / (32 * kN);
  for (int64_t o = begin; o < end; ++o) {
    const uint8_t* p = job.weight + o * blocks * B::kBytes;
    V8 sum[kRows];
    float offsets[kRows] = {};
    for (V8& s : sum) s = hn::Zero(d);
    for (int64_t b = 0; b < blocks; ++b, p += B::kBytes) {
      float scale[kN], offset[kN];
      B::scales(p, scale, offset);
#pragma GCC unroll 8
      for (int part = 0; part < kN; ++part) {
        V8 w[kVectors];
        B::widen(p, part, w);
        const int64_t first = (b * kN + part) * 32;
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) {
          const float* x = job.x + r * job.in + first;
          V8 even = hn::Mul(w[0], hn::LoadU(d, x)), odd = hn::Mul(w[1], hn::LoadU(d, x + kLanes8));
#pragma GCC unroll 4
          for (size_t v = 2; v < kVectors; v += 2) {
            even = hn::MulAdd(w[v], hn::LoadU(d, x + v * kLanes8), even);
            odd = hn::MulAdd(w[v + 1], hn::LoadU(d, x + (v + 1) * kLanes8), odd);
          }
          sum[r] = hn::MulAdd(hn::Set(d, scale[part]), hn::Add(even, odd), sum[r]);
          if constexpr (B::kOffset) {
            offsets[r] += offset[part] * job.sums[(r * job.in + first) / 32];
          }
        }
      }
    }
    for (int r = 0; r < kRows; ++r)
      job.y[r * job.out + o] = hn::GetLane(hn::SumOfLanes(d, sum[r])) + offsets[r];
  }
}

// The same for every type, by way of its Levels.
template <int kRows>
void level_rows(const Job& job, int64_t begin, int64_t end) {
  constexpr auto kMax = static_cast<int64_t>(Levels::kMax);
  constexpr auto kGroup = static_cast<int64_t>(Levels::kGroup);
  const hn::CappedTag<float, Levels::kGroup> d;
  const hn::Rebind<int32_t, decltype(d)> di;
  const hn::Rebind<int8_t, decltype(d)> db;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const DTypeInfo& type = info(job.dtype);
  const auto block = static_cast<int64_t>(type.block), bytes = static_cast<int64_t>(type.bytes);
  const Unpacker& from = unpacker(job.dtype);
  Levels levels;
  const auto widened = [&](int64_t i, float scale) {
    const auto level = hn::PromoteTo(di, hn::Load(db, levels.level.data() + i));
    return hn::Mul(hn::ConvertTo(d, level), hn::Set(d, scale));
  };
  for (int64_t o = begin; o < end; ++o) {
    const uint8_t* p = job.weight + o * (job.in / block) * bytes;
    hn::Vec<decltype(d)> even[kRows], odd[kRows];  // groups in turn: two chains of additions
    float offsets[kRows] = {};
    for (int r = 0; r < kRows; ++r) even[r] = odd[r] = hn::Zero(d);
    for (int64_t first = 0; first < job.in; first += kMax) {
      const int64_t n = std::min(kMax, job.in - first);
      from.unpack(p, static_cast<size_t>(n / block), levels);
      p += n / block * bytes;
      const float* x = job.x + first;
      for (int64_t i = 0; i < n; i += 2 * kGroup) {
        const float* scale = levels.scale.data() + i / kGroup;
        for (int64_t v = 0; v < kGroup; v += lanes) {
          const auto w0 = widened(i + v, scale[0]), w1 = widened(i + kGroup + v, scale[1]);
          for (int r = 0; r < kRows; ++r) {
            const float* at = x + r * job.in + i + v;
            even[r] = hn::MulAdd(w0, hn::LoadU(d, at), even[r]);
            odd[r] = hn::MulAdd(w1, hn::LoadU(d, at + kGroup), odd[r]);
          }
        }
      }
      if (!from.has_offset) continue;
      for (int r = 0; r < kRows; ++r) {
        const float* sums = job.sums + (r * job.in + first) / kGroup;
        int64_t g = 0;
        for (; g + lanes <= n / kGroup; g += lanes)
          even[r] =
              hn::MulAdd(hn::Load(d, levels.offset.data() + g), hn::LoadU(d, sums + g), even[r]);
        for (; g < n / kGroup; ++g) offsets[r] += levels.offset[static_cast<size_t>(g)] * sums[g];
      }
    }
    for (int r = 0; r < kRows; ++r)
      job.y[r * job.out + o] =
          hn::GetLane(hn::SumOfLanes(d, hn::Add(even[r], odd[r]))) + offsets[r];
  }
}

template <int kRows>
void rows_target(const Job& job, int64_t begin, int64_t end) {
  switch (job.dtype) {
    case DType::kF32:
      return number_rows<kRows, float, Float32>(job, begin, end);
    case DType::kF16:
      return number_rows<kRows, hwy::float16_t, Narrow<hwy::float16_t>>(job, begin, end);
    case DType::kBF16:
      return number_rows<kRows, hwy::bfloat16_t, Narrow<hwy::bfloat16_t>>(job, begin, end);
    default:
      if (!with_blocks(job.dtype,
                       [&](auto type) { block_rows<type.value, kRows>(job, begin, end); }))
        level_rows<kRows>(job, begin, end);
  }
}

void matvec_target(const Job& job, int64_t rows, int64_t begin, int64_t end) {
  switch (rows) {
    case 1:
      return rows_target<1>(job, begin, end);
    case 2:
      return rows_target<2>(job, begin, end);
    case 3:
      return rows_target<3>(job, begin, end);
    default:
      return rows_target<4>(job, begin, end);
  }
}

// How many activations share an offset in the kernel of this type; 0: it asks for no sums.
int64_t sum_length_target(DType dtype) {
  int64_t length = 0;
  if (with_blocks(dtype, [&](auto type) { length = Blocks<type.value>::kOffset ? 32 : 0; }))
    return length;
  return unpacker(dtype).has_offset ? static_cast<int64_t>(Levels::kGroup) : 0;
}

}  // namespace
}  // namespace expunge::tensor::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace expunge::tensor::kernels {

HWY_EXPORT(matvec_target);
HWY_EXPORT(sum_length_target);

void matvec(DType dtype, const std::byte* weight, const float* x, int64_t rows, int64_t in,
            int64_t out, float* y) {
  CHECK(rows >= 1 && rows <= kMatvecMaxRows);
  std::vector<float> sums;
  const auto n = static_cast<size_t>(HWY_DYNAMIC_DISPATCH(sum_length_target)(dtype));
  if (n > 0) {
    sums.resize(static_cast<size_t>(rows * in) / n);
    for (size_t g = 0; g < sums.size(); ++g)
      for (size_t i = 0; i < n; ++i) sums[g] += x[g * n + i];
  }
  const Job job{dtype, reinterpret_cast<const uint8_t*>(weight), x, sums.data(), in, out, y};
  // Several outputs a part: handing one over costs as much as some ten thousand products.
  const int64_t grain = std::max<int64_t>(16, (int64_t{1} << 16) / in);
  parallel_for(0, out, grain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(matvec_target)(job, rows, begin, end);
  });
}

}  // namespace expunge::tensor::kernels
#endif
