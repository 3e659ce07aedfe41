#include "tensor/activations.h"

#include <algorithm>
#include <cmath>

#include "tensor/kernels/pool.h"

namespace expunge::tensor {
namespace {

enum class Rounding { kNone, kHalf, kBfloat16, kBlocksOf32, kBlocksOf256 };
Rounding rounding_of(DType weight) {
  switch (weight) {
    case DType::kF16:
      return Rounding::kHalf;
    case DType::kBF16:
      return Rounding::kBfloat16;
    default:
      const size_t block = info(weight).block;
      return block == 32    ? Rounding::kBlocksOf32
             : block == 256 ? Rounding::kBlocksOf256
                            : Rounding::kNone;
  }
}

float half_of(float x) { return static_cast<float>(static_cast<at::Half>(x)); }

// quantize_row_q8_0 and quantize_row_q8_1 of ggml/src/ggml-cpu/arch/x86/quants.c: the inverse is
// that of the scale before it is stored as float16.
void round_32(const float* x, float* y) {
  float top = 0;
  for (int i = 0; i < 32; ++i) top = std::max(top, std::abs(x[i]));
  const float scale = half_of(top / 127), inverse = top > 0 ? 127 / top : 0;
  for (int i = 0; i < 32; ++i) y[i] = scale * std::nearbyint(x[i] * inverse);
}

// quantize_row_q8_K_ref of ggml/src/ggml-quants.c: the largest value becomes -127.
void round_256(const float* x, float* y) {
  const float extreme =
      *std::max_element(x, x + 256, [](float a, float b) { return std::abs(a) < std::abs(b); });
  if (extreme == 0) return void(std::fill_n(y, 256, 0.0F));
  const float inverse = -127 / extreme, scale = 1 / inverse;
  for (int i = 0; i < 256; ++i) y[i] = scale * std::min(127.0F, std::nearbyint(inverse * x[i]));
}

}  // namespace

std::string_view name(Activations a) { return a == Activations::kQ8 ? "q8" : "float"; }

std::optional<Activations> activations_from_name(std::string_view text) {
  for (const Activations a : {Activations::kFloat, Activations::kQ8})
    if (name(a) == text) return a;
  return std::nullopt;
}

Tensor rounded_for(DType weight, const Tensor& x) {
  const Rounding rounding = rounding_of(weight);
  if (rounding == Rounding::kNone) return x;
  if (rounding == Rounding::kHalf) return x.to(at::kHalf).to(at::kFloat);
  if (rounding == Rounding::kBfloat16) return x.to(at::kBFloat16).to(at::kFloat);
  const auto block = static_cast<int64_t>(info(weight).block);
  CHECK(x.size(-1) % block == 0, "{} activations in blocks of {}", x.size(-1), block);
  const auto round = rounding == Rounding::kBlocksOf32 ? round_32 : round_256;
  const Tensor in = x.contiguous();
  Tensor y = at::empty_like(in);
  const float* from = in.data_ptr<float>();
  float* to = y.data_ptr<float>();
  kernels::parallel_for(0, in.numel() / block, 4096 / block, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) round(from + b * block, to + b * block);
  });
  return y;
}

}  // namespace expunge::tensor
