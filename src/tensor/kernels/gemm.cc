// A tile is 6 outputs by two vectors of rows: 12 accumulators, enough to hide the latency of a
// multiply-add and few enough for 16 registers (Goto and van de Geijn 2008). The rows of x are the
// vector, so the weight needs no packing: each of its values is broadcast once a tile.
#include "tensor/kernels/gemm.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/error.h"
#include "tensor/kernels/matvec.h"
#include "tensor/kernels/pool.h"

#ifndef EXPUNGE_GEMM_PRODUCT
#define EXPUNGE_GEMM_PRODUCT
namespace expunge::tensor::kernels {
namespace {

constexpr int64_t kTileOutputs = 6;
struct Product {
  DType dtype;
  const uint8_t* weight;
  const float* packed;  // [panels,I,width]: x transposed in panels of `width` rows, padded with 0
  int64_t rows, in, out, width;
  float* y;
};

}  // namespace
}  // namespace expunge::tensor::kernels
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/gemm.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

#include "tensor/kernels/blocks-inl.h"

HWY_BEFORE_NAMESPACE();
namespace expunge::tensor::kernels::HWY_NAMESPACE {
namespace {

using DV = hn::ScalableTag<float>;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(DV())), kOutputs = kTileOutputs;

// Outputs o .. o+n of one panel; w [kOutputs,I] points at their weights.
template <int kVectorsOfRows>
void tile(const float* HWY_RESTRICT w, const float* HWY_RESTRICT panel, const Product& p,
          int64_t first_row, int64_t o, int64_t n) {
  const DV d;
  constexpr int64_t width = kVectorsOfRows * kLanes;
  hn::Vec<DV> sum[kOutputs][kVectorsOfRows];
#pragma GCC unroll 8
  for (auto& row : sum)
#pragma GCC unroll 2
    for (auto& s : row) s = hn::Zero(d);
  // A tile at the edge reads its last output again instead of past the end.
  const float* rows[kOutputs];
  for (int64_t j = 0; j < kOutputs; ++j) rows[j] = w + std::min(j, n - 1) * p.in;
  for (int64_t i = 0; i < p.in; ++i) {
    hn::Vec<DV> x[kVectorsOfRows];
#pragma GCC unroll 2
    for (int v = 0; v < kVectorsOfRows; ++v) x[v] = hn::Load(d, panel + i * width + v * kLanes);
#pragma GCC unroll 8
    for (int j = 0; j < kOutputs; ++j) {
      const auto weight = hn::Set(d, rows[j][i]);
#pragma GCC unroll 2
      for (int v = 0; v < kVectorsOfRows; ++v) sum[j][v] = hn::MulAdd(weight, x[v], sum[j][v]);
    }
  }
  HWY_ALIGN float sums[kOutputs][width];
#pragma GCC unroll 8
  for (int j = 0; j < kOutputs; ++j)
#pragma GCC unroll 2
    for (int v = 0; v < kVectorsOfRows; ++v) hn::Store(sum[j][v], d, sums[j] + v * kLanes);
  const int64_t filled = std::min(width, p.rows - first_row);
  for (int64_t r = 0; r < filled; ++r)
    for (int64_t j = 0; j < n; ++j) p.y[(first_row + r) * p.out + o + j] = sums[j][r];
}

void dequantise_rows(const Product& p, int64_t o, int64_t n, float* y) {
  for (int64_t j = 0; j < n; ++j, y += p.in) {
    const uint8_t* row = p.weight + (o + j) * (p.in / 32) * block_bytes(p.dtype);
    if (p.dtype == DType::kQ4_0)
      dequantise_row<DType::kQ4_0>(row, p.in, y);
    else if (p.dtype == DType::kQ4_1)
      dequantise_row<DType::kQ4_1>(row, p.in, y);
    else
      dequantise_row<DType::kQ8_0>(row, p.in, y);
  }
}

// Blocks of outputs stay in the second-level cache while all panels pass.
void gemm_target(const Product& p, int64_t begin, int64_t end) {
  constexpr int64_t kBlockFloats = int64_t{48} << 10;
  const int64_t block = std::clamp<int64_t>(kBlockFloats / p.in / kOutputs, 1, 16) * kOutputs;
  thread_local std::vector<float> buffer;
  if (p.dtype != DType::kF32) buffer.resize(static_cast<size_t>(block * p.in));
  for (int64_t o = begin; o < end; o += block) {
    const int64_t n = std::min(block, end - o);
    const float* w = reinterpret_cast<const float*>(p.weight) + o * p.in;
    if (p.dtype != DType::kF32) dequantise_rows(p, o, n, buffer.data()), w = buffer.data();
    for (int64_t first = 0; first < p.rows; first += p.width) {
      const float* panel = p.packed + first * p.in;
      for (int64_t j = 0; j < n; j += kOutputs) {
        const int64_t tile_outputs = std::min(kOutputs, n - j);
        if (p.width == kLanes)
          tile<1>(w + j * p.in, panel, p, first, o + j, tile_outputs);
        else
          tile<2>(w + j * p.in, panel, p, first, o + j, tile_outputs);
      }
    }
  }
}

int64_t lanes_target() { return kLanes; }

}  // namespace
}  // namespace expunge::tensor::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace expunge::tensor::kernels {
namespace {

HWY_EXPORT(gemm_target);
HWY_EXPORT(lanes_target);

// x [rows,I] -> [panels,I,width], the last panel padded with zeros.
void pack(const float* x, int64_t rows, int64_t in, int64_t width, float* packed) {
  const int64_t panels = (rows + width - 1) / width;
  parallel_for(0, panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      float* to = packed + p * in * width;
      const int64_t filled = std::min(width, rows - p * width);
      const float* from = x + p * width * in;
      for (int64_t i = 0; i < in; ++i, to += width) {
        for (int64_t r = 0; r < filled; ++r) to[r] = from[r * in + i];
        std::fill(to + filled, to + width, 0.0F);
      }
    }
  });
}

}  // namespace

void gemm(DType dtype, const std::byte* weight, const float* x, int64_t rows, int64_t in,
          int64_t out, float* y) {
  CHECK(matvec_supports(dtype) && rows >= 1);
  const int64_t lanes = HWY_DYNAMIC_DISPATCH(lanes_target)();
  const int64_t width = rows <= lanes ? lanes : 2 * lanes;
  const int64_t panels = (rows + width - 1) / width;
  const auto packed = hwy::AllocateAligned<float>(static_cast<size_t>(panels * in * width));
  CHECK(packed != nullptr, "no memory for {} activations", panels * in * width);
  pack(x, rows, in, width, packed.get());
  const Product p{
      dtype, reinterpret_cast<const uint8_t*>(weight), packed.get(), rows, in, out, width, y};
  // Parts of whole tiles, about a million multiply-adds at least.
  const int64_t tiles = (out + kTileOutputs - 1) / kTileOutputs;
  const int64_t grain = std::max<int64_t>(1, (int64_t{1} << 17) / (in * panels));
  parallel_for(0, tiles, grain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(gemm_target)
    (p, begin * kTileOutputs, std::min(out, end * kTileOutputs));
  });
}

}  // namespace expunge::tensor::kernels
#endif
