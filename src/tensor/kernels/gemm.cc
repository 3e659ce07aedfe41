// The rows of x are the vector, so the weight needs no packing: each of its values is broadcast
// once a tile. Sums are transposed on their way to y.
#include "tensor/kernels/gemm.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "tensor/kernels/pool.h"

#ifndef EXPUNGE_GEMM_PRODUCT
#define EXPUNGE_GEMM_PRODUCT
namespace expunge::tensor::kernels {
namespace {

constexpr int64_t kTileOutputs = 12;  // a multiple of every target's tile
struct Product {
  DType dtype;
  const uint8_t* weight;
  const float* packed;  // [panels,I,width]: x transposed, in panels of one or two vectors of rows
  int64_t rows, in, out;
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
#include "tensor/kernels/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace expunge::tensor::kernels::HWY_NAMESPACE {
namespace {

static_assert(kTileOutputs % kOutputs == 0);

// y[r,j] = element r of sum[j]; n_rows of them, n outputs.
template <int kVectors>
HWY_INLINE void store_turned(Vector (&sum)[kOutputs][kVectors], int64_t n_rows, int64_t n,
                             int64_t stride, float* y) {
#if HWY_TARGET == HWY_SCALAR
  for (int64_t r = 0; r < n_rows; ++r)
    for (int64_t j = 0; j < n; ++j) y[r * stride + j] = hn::GetLane(sum[j][r]);
#else
  const DV d;
  // Four outputs of row v*kLanes + 4b + i lie at quads[.][v][i][4b].
  constexpr int64_t kQuads = (kOutputs + 3) / 4;
  HWY_ALIGN float quads[kQuads][kVectors][4][kLanes];
#pragma GCC unroll 3
  for (int64_t q = 0; q < kQuads; ++q)
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      Vector a = sum[q * 4][v], b = sum[q * 4 + 1][v];
      Vector c = q * 4 + 2 < kOutputs ? sum[q * 4 + 2][v] : a;
      Vector e = q * 4 + 3 < kOutputs ? sum[q * 4 + 3][v] : a;
      transpose_blocks<DV>(a, b, c, e);
      hn::Store(a, d, quads[q][v][0]);
      hn::Store(b, d, quads[q][v][1]);
      hn::Store(c, d, quads[q][v][2]);
      hn::Store(e, d, quads[q][v][3]);
    }
  for (int64_t r = 0; r < n_rows; ++r, y += stride) {
    const float* quad = &quads[0][r / kLanes][r % 4][r % kLanes / 4 * 4];
    constexpr int64_t kApart = kVectors * 4 * kLanes;
    if (n == kOutputs) {
#pragma GCC unroll 3
      for (int64_t q = 0; q < kQuads; ++q)
        std::memcpy(y + q * 4, quad + q * kApart,
                    static_cast<size_t>(std::min<int64_t>(4, kOutputs - q * 4)) * sizeof(float));
    } else {
      for (int64_t j = 0; j < n; ++j) y[j] = quad[j / 4 * kApart + j % 4];
    }
  }
#endif
}

// Outputs o .. o+n of one panel; w [n,I] points at their weights. `coming`: weights of the next
// tile that are still in memory, prefetched while this one is computed; nullptr = none.
template <int kVectors>
void tile(const float* w, const float* coming, const float* HWY_RESTRICT panel, const Product& p,
          int64_t first_row, int64_t o, int64_t n) {
  Vector sum[kOutputs][kVectors];
  clear(sum);
  if (coming == nullptr) {
    accumulate(Rows<kOutputs>(w, p.in, n), panel, kVectors * kLanes, p.in, sum);
  } else {
    constexpr int64_t kStep = 64, kLine = 16;  // floats
    for (int64_t k = 0; k < p.in; k += kStep) {
      for (int64_t j = 0; j < kOutputs; ++j)
        for (int64_t i = 0; i < kStep; i += kLine) hwy::Prefetch(coming + j * p.in + k + i);
      accumulate(Rows<kOutputs>(w + k, p.in, n), panel + k * kVectors * kLanes, kVectors * kLanes,
                 std::min(kStep, p.in - k), sum);
    }
  }
  store_turned<kVectors>(sum, std::min(kVectors * kLanes, p.rows - first_row), n, p.out,
                         p.y + first_row * p.out + o);
}

void dequantise_rows(const Product& p, int64_t o, int64_t n, float* y) {
  const DTypeInfo& type = info(p.dtype);
  const size_t row = static_cast<size_t>(p.in) / type.block * type.bytes;
  const auto first = static_cast<size_t>(o), some = static_cast<size_t>(n);
  if (with_blocks(p.dtype, [&](auto kind) {
        for (int64_t j = 0; j < n; ++j)
          dequantise_row<kind.value>(p.weight + static_cast<size_t>(o + j) * row, p.in,
                                     y + j * p.in);
      }))
    return;
  dequantise(p.dtype, std::as_bytes(std::span(p.weight + first * row, some * row)),
             {y, some * static_cast<size_t>(p.in)});
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
    for (int64_t first = 0; first < p.rows; first += 2 * kLanes) {
      const float* panel = p.packed + first * p.in;
      const bool narrow = p.rows - first <= kLanes;
      for (int64_t j = 0; j < n; j += kOutputs) {
        const int64_t tile_outputs = std::min<int64_t>(kOutputs, n - j);
        const bool streams = p.dtype == DType::kF32 && first == 0 && o + j + 2 * kOutputs <= end;
        const float* coming = streams ? w + (j + kOutputs) * p.in : nullptr;
        if (narrow)
          tile<1>(w + j * p.in, coming, panel, p, first, o + j, tile_outputs);
        else
          tile<2>(w + j * p.in, coming, panel, p, first, o + j, tile_outputs);
      }
    }
  }
}

void pack_target(const float* x, int64_t n, int64_t in, int64_t width, float* packed) {
  pack_turned([&](int64_t r) { return x + r * in; }, n, in, width, packed);
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
HWY_EXPORT(pack_target);

}  // namespace

void gemm(DType dtype, const std::byte* weight, const float* x, int64_t rows, int64_t in,
          int64_t out, float* y) {
  CHECK(rows >= 1);
  // Panels of two vectors of rows, the last panel of one if that is enough.
  const int64_t lanes = HWY_DYNAMIC_DISPATCH(lanes_target)(), width = 2 * lanes;
  const int64_t panels = (rows + width - 1) / width;
  const int64_t padded = (rows + lanes - 1) / lanes * lanes;
  const auto packed = hwy::AllocateAligned<float>(static_cast<size_t>(padded * in));
  CHECK(packed != nullptr, "no memory for {} activations", padded * in);
  parallel_for(0, panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t first = begin * width; first < std::min(rows, end * width); first += width)
      HWY_DYNAMIC_DISPATCH(pack_target)
    (x + first * in, std::min(width, rows - first), in, std::min(width, padded - first),
     packed.get() + first * in);
  });
  const Product p{dtype, reinterpret_cast<const uint8_t*>(weight), packed.get(), rows, in, out, y};
  // Parts of whole tiles, about a million multiply-adds at least.
  const int64_t tiles = (out + kTileOutputs - 1) / kTileOutputs;
  const int64_t grain = std::max<int64_t>(1, (int64_t{1} << 20) / (kTileOutputs * in * padded));
  parallel_for(0, tiles, grain, [&](int64_t begin, int64_t end) {
    HWY_DYNAMIC_DISPATCH(gemm_target)
    (p, begin * kTileOutputs, std::min(out, end * kTileOutputs));
  });
}

}  // namespace expunge::tensor::kernels
#endif
