// Compiled with -ffp-contract=off: a fused multiply-add would round differently from the reference.
#include "tensor/quant.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "tensor/even_blocks.h"
#include "tensor/iq_blocks.h"
#include "tensor/levels.h"
#include "tensor/quant_bits.h"

namespace expunge::tensor {
namespace {

using blocks::float_to_half;
using blocks::half_at;
using blocks::half_to_float;
using blocks::load;

// Readers of types without levels: n numbers from p -> y [n].
void from_f32(const uint8_t* p, size_t n, float* y) { std::memcpy(y, p, n * sizeof *y); }
// half_to_float without branches or comparisons, so that it becomes vectors. No subnormal float32
// is computed with: the program flushes those to zero (tensor::start).
EXPUNGE_CLONES void from_f16(const uint8_t* __restrict p, size_t n, float* __restrict y) {
  for (size_t i = 0; i < n; ++i) {
    const uint32_t h = load<uint16_t>(p + 2 * i), exponent = h & 0x7c00;
    const uint32_t zero = 0U - ((exponent - 1) >> 31), ones = 0U - ((exponent + 0x400) >> 15);
    const auto small =
        std::bit_cast<uint32_t>(static_cast<float>(static_cast<int32_t>(h & 0x3ff)) * 0x1p-24F);
    const uint32_t large = ((h & 0x7fff) << 13) + (112U << 23) + (ones & (112U << 23));
    y[i] = std::bit_cast<float>((small & zero) | (large & ~zero) | (h & 0x8000) << 16);
  }
}
EXPUNGE_CLONES void from_bf16(const uint8_t* __restrict p, size_t n, float* __restrict y) {
  for (size_t i = 0; i < n; ++i)
    y[i] = std::bit_cast<float>(static_cast<uint32_t>(load<uint16_t>(p + 2 * i)) << 16);
}

// y [weights] = scale * level + offset, as gguf computes them: the product is rounded.
EXPUNGE_CLONES void from_levels(const Levels& x, size_t weights, bool with_offset,
                                float* __restrict y) {
  for (size_t group = 0; group < weights / 16; ++group, y += 16) {
    const float scale = x.scale[group], offset = x.offset[group];
    const int8_t* level = x.level.data() + 16 * group;
    if (with_offset) {
#pragma GCC unroll 1  // or the loop is unrolled before vectors are made of it
      for (size_t i = 0; i < 16; ++i) y[i] = scale * static_cast<float>(level[i]) + offset;
    } else {
#pragma GCC unroll 1
      for (size_t i = 0; i < 16; ++i) y[i] = scale * static_cast<float>(level[i]);
    }
  }
}

void store_half(uint8_t* p, float f) {
  const uint16_t h = float_to_half(f);
  std::memcpy(p, &h, sizeof h);
}

// Legacy formats store q = trunc(x/d + bias) (symmetric) or trunc((x - min)/d + 0.5) (affine).
struct Quantised {
  float d, m;
  std::array<uint8_t, 32> q;
};
// 0 for a scale whose inverse overflows: float16 stores such a scale as 0.
float inverse(float d) {
  const float id = 1 / d;
  return std::isfinite(id) ? id : 0;
}
Quantised symmetric(const float* x, int levels) {
  const float extreme =
      *std::max_element(x, x + 32, [](float a, float b) { return std::abs(a) < std::abs(b); });
  Quantised result{extreme / static_cast<float>(-levels), 0, {}};
  const float id = inverse(result.d);
  for (int i = 0; i < 32; ++i)
    result.q[static_cast<size_t>(i)] = static_cast<uint8_t>(std::clamp(
        static_cast<int>(x[i] * id + (static_cast<float>(levels) + 0.5F)), 0, 2 * levels - 1));
  return result;
}
Quantised affine(const float* x, int top) {
  const auto [low, high] = std::minmax_element(x, x + 32);
  Quantised result{(*high - *low) / static_cast<float>(top), *low, {}};
  const float id = inverse(result.d);
  for (int i = 0; i < 32; ++i)
    result.q[static_cast<size_t>(i)] =
        static_cast<uint8_t>(std::clamp(static_cast<int>((x[i] - *low) * id + 0.5F), 0, top));
  return result;
}
void store_nibbles(uint8_t* p, const std::array<uint8_t, 32>& q) {
  for (size_t i = 0; i < 16; ++i)
    p[i] = static_cast<uint8_t>((q[i] & 15) | ((q[i + 16] & 15) << 4));
}
void store_fifth_bits(uint8_t* p, const std::array<uint8_t, 32>& q) {
  uint32_t bits = 0;
  for (size_t i = 0; i < 32; ++i) bits |= static_cast<uint32_t>(q[i] >> 4) << i;
  std::memcpy(p, &bits, sizeof bits);
}

void to_q8_0(const float* x, uint8_t* p) {
  float top = 0;
  for (int i = 0; i < 32; ++i) top = std::max(top, std::abs(x[i]));
  const float d = top / 127, id = inverse(d);
  store_half(p, d);
  for (int i = 0; i < 32; ++i) {
    // np_roundf: half away from zero.
    const float v = x[i] * id, a = std::abs(v), whole = std::floor(a);
    const float rounded = whole + std::floor(2 * (a - whole));
    p[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(v < 0 ? -rounded : rounded));
  }
}

void quantise_block(DType dtype, const float* x, uint8_t* p) {
  switch (dtype) {
    case DType::kQ4_0: {
      const Quantised l = symmetric(x, 8);
      store_half(p, l.d), store_nibbles(p + 2, l.q);
      return;
    }
    case DType::kQ4_1: {
      const Quantised l = affine(x, 15);
      store_half(p, l.d), store_half(p + 2, l.m), store_nibbles(p + 4, l.q);
      return;
    }
    case DType::kQ5_0: {
      const Quantised l = symmetric(x, 16);
      store_half(p, l.d), store_fifth_bits(p + 2, l.q), store_nibbles(p + 6, l.q);
      return;
    }
    case DType::kQ5_1: {
      const Quantised l = affine(x, 31);
      store_half(p, l.d), store_half(p + 2, l.m);
      store_fifth_bits(p + 4, l.q), store_nibbles(p + 8, l.q);
      return;
    }
    case DType::kQ8_0:
      to_q8_0(x, p);
      return;
    case DType::kF16:
      store_half(p, *x);
      return;
    case DType::kBF16: {
      uint32_t bits = std::bit_cast<uint32_t>(*x);
      if ((bits & 0x7fffffff) > 0x7f800000) bits = (bits & 0xffff0000) | (64U << 16);
      const auto top = static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
      std::memcpy(p, &top, sizeof top);
      return;
    }
    default:
      std::memcpy(p, x, sizeof *x);  // F32
  }
}

struct Type {
  DTypeInfo info;
  void (*read)(const uint8_t* p, size_t n, float* y);  // nullptr: by its levels
  Unpacker levels;
  // Where in a block halves lie that are finite exactly if all its weights are; -1: none.
  std::array<int, 2> scales = {-1, -1};
};
constexpr Type numbers(DTypeInfo info, void (*read)(const uint8_t*, size_t, float*),
                       std::array<int, 2> scales = {-1, -1}) {
  return {info, read, {}, scales};
}
constexpr Type scaled(DTypeInfo info, void (*unpack)(const uint8_t*, size_t, Levels&),
                      std::array<int, 2> scales = {-1, -1}) {
  return {info, nullptr, {unpack, false}, scales};
}
constexpr Type shifted(DTypeInfo info, void (*unpack)(const uint8_t*, size_t, Levels&),
                       std::array<int, 2> scales = {-1, -1}) {
  return {info, nullptr, {unpack, true}, scales};
}
// Of tensors that are carried along as bytes.
constexpr Type carried(DType dtype, std::string_view name, size_t bytes,
                       uint32_t ggml_id = kNotInGguf) {
  return {{dtype, name, ggml_id, 1, bytes, false}, nullptr, {}};
}
constexpr std::array<Type, 39> kTypes = {{
    numbers({DType::kF32, "F32", 0, 1, 4, true}, from_f32),
    numbers({DType::kF16, "F16", 1, 1, 2, true}, from_f16, {0, -1}),
    numbers({DType::kBF16, "BF16", 30, 1, 2, true}, from_bf16),
    scaled({DType::kQ4_0, "Q4_0", 2, 32, 18, true}, blocks::unpack_q4_0, {0, -1}),
    shifted({DType::kQ4_1, "Q4_1", 3, 32, 20, true}, blocks::unpack_q4_1, {0, 2}),
    scaled({DType::kQ5_0, "Q5_0", 6, 32, 22, true}, blocks::unpack_q5_0, {0, -1}),
    shifted({DType::kQ5_1, "Q5_1", 7, 32, 24, true}, blocks::unpack_q5_1, {0, 2}),
    scaled({DType::kQ8_0, "Q8_0", 8, 32, 34, true}, blocks::unpack_q8_0, {0, -1}),
    shifted({DType::kQ2_K, "Q2_K", 10, 256, 84, false}, blocks::unpack_q2_k, {80, 82}),
    scaled({DType::kQ3_K, "Q3_K", 11, 256, 110, false}, blocks::unpack_q3_k, {108, -1}),
    shifted({DType::kQ4_K, "Q4_K", 12, 256, 144, false}, blocks::unpack_q4_k, {0, 2}),
    shifted({DType::kQ5_K, "Q5_K", 13, 256, 176, false}, blocks::unpack_q5_k, {0, 2}),
    scaled({DType::kQ6_K, "Q6_K", 14, 256, 210, false}, blocks::unpack_q6_k, {208, -1}),
    scaled({DType::kIQ1_S, "IQ1_S", 19, 256, 50, false}, blocks::unpack_iq1_s, {0, -1}),
    scaled({DType::kIQ1_M, "IQ1_M", 29, 256, 56, false}, blocks::unpack_iq1_m),
    scaled({DType::kIQ2_XXS, "IQ2_XXS", 16, 256, 66, false}, blocks::unpack_iq2_xxs, {0, -1}),
    scaled({DType::kIQ2_XS, "IQ2_XS", 17, 256, 74, false}, blocks::unpack_iq2_xs, {0, -1}),
    scaled({DType::kIQ2_S, "IQ2_S", 22, 256, 82, false}, blocks::unpack_iq2_s, {0, -1}),
    scaled({DType::kIQ3_XXS, "IQ3_XXS", 18, 256, 98, false}, blocks::unpack_iq3_xxs, {0, -1}),
    scaled({DType::kIQ3_S, "IQ3_S", 21, 256, 110, false}, blocks::unpack_iq3_s, {0, -1}),
    scaled({DType::kIQ4_NL, "IQ4_NL", 20, 32, 18, false}, blocks::unpack_iq4_nl, {0, -1}),
    scaled({DType::kIQ4_XS, "IQ4_XS", 23, 256, 136, false}, blocks::unpack_iq4_xs, {0, -1}),
    scaled({DType::kMXFP4, "MXFP4", 39, 32, 17, false}, blocks::unpack_mxfp4),
    scaled({DType::kTQ1_0, "TQ1_0", 34, 256, 54, false}, blocks::unpack_tq1_0, {52, -1}),
    scaled({DType::kTQ2_0, "TQ2_0", 35, 256, 66, false}, blocks::unpack_tq2_0, {64, -1}),
    carried(DType::kI8, "I8", 1, 24),
    carried(DType::kI16, "I16", 2, 25),
    carried(DType::kI32, "I32", 4, 26),
    carried(DType::kI64, "I64", 8, 27),
    carried(DType::kF64, "F64", 8, 28),
    carried(DType::kU8, "U8", 1),
    carried(DType::kU16, "U16", 2),
    carried(DType::kU32, "U32", 4),
    carried(DType::kU64, "U64", 8),
    carried(DType::kBool, "BOOL", 1),
    carried(DType::kF8_E4M3, "F8_E4M3", 1),
    carried(DType::kF8_E5M2, "F8_E5M2", 1),
    carried(DType::kF8_E8M0, "F8_E8M0", 1),
    carried(DType::kC64, "C64", 8),
}};
const Type& type_of(DType dtype) {
  return *std::ranges::find(kTypes, dtype, [](const Type& t) { return t.info.dtype; });
}
// `blocks` blocks at p -> y [blocks, weights a block].
void read(const Type& type, const uint8_t* p, size_t blocks, float* y) {
  if (type.read != nullptr) return type.read(p, blocks, y);
  CHECK(type.levels.unpack != nullptr, "{} is only carried along", type.info.name);
  Levels levels;
  const size_t step = Levels::kMax / type.info.block;
  for (size_t b = 0; b < blocks; b += step) {
    const size_t n = std::min(step, blocks - b);
    type.levels.unpack(p + b * type.info.bytes, n, levels);
    from_levels(levels, n * type.info.block, type.levels.has_offset, y + b * type.info.block);
  }
}
// The type of which `is` holds, if there is one.
template <class F>
std::optional<DType> first_type(const F& is) {
  const auto found = std::ranges::find_if(kTypes, is, &Type::info);
  return found == kTypes.end() ? std::nullopt : std::optional(found->info.dtype);
}

}  // namespace

const DTypeInfo& info(DType dtype) { return type_of(dtype).info; }
const Unpacker& unpacker(DType dtype) { return type_of(dtype).levels; }
std::optional<DType> dtype_from_ggml(uint32_t ggml_id) {
  if (ggml_id == kNotInGguf) return std::nullopt;
  return first_type([&](const DTypeInfo& t) { return t.ggml_id == ggml_id; });
}
std::optional<DType> dtype_from_name(std::string_view name) {
  return first_type([&](const DTypeInfo& t) {
    return std::ranges::equal(t.name, name, [](char a, char b) {
      return std::toupper(static_cast<unsigned char>(a)) ==
             std::toupper(static_cast<unsigned char>(b));
    });
  });
}

void dequantise(DType dtype, std::span<const std::byte> in, std::span<float> out) {
  const Type& type = type_of(dtype);
  const size_t blocks = out.size() / type.info.block;
  CHECK(out.size() % type.info.block == 0 && in.size() == blocks * type.info.bytes);
  read(type, reinterpret_cast<const uint8_t*>(in.data()), blocks, out.data());
}

DType writable_type(DType dtype) { return info(dtype).can_quantise ? dtype : DType::kQ8_0; }

bool all_finite(DType dtype, std::span<const std::byte> in) {
  const Type& type = type_of(dtype);
  CHECK(in.size() % type.info.bytes == 0);
  const auto* p = reinterpret_cast<const uint8_t*>(in.data());
  const size_t n = in.size() / type.info.bytes;
  if (type.scales[0] < 0) {
    std::vector<float> values(4096 / type.info.block * type.info.block);
    for (size_t b = 0; b < n;) {
      const size_t some = std::min(n - b, values.size() / type.info.block);
      read(type, p + b * type.info.bytes, some, values.data());
      const auto end = values.begin() + static_cast<std::ptrdiff_t>(some * type.info.block);
      if (!std::all_of(values.begin(), end, [](float v) { return std::isfinite(v); })) return false;
      b += some;
    }
    return true;
  }
  for (const int at : type.scales)
    for (size_t b = 0; at >= 0 && b < n; ++b)
      if ((load<uint16_t>(p + b * type.info.bytes + at) & 0x7c00) == 0x7c00) return false;
  return true;
}

base::Status quantise(DType dtype, std::span<const float> in, std::span<std::byte> out) {
  const DTypeInfo& type = info(dtype);
  if (!type.can_quantise)
    return base::fail(base::Code::kUnsupported,
                      fmt::format("{} can be read but not written", type.name),
                      "choose one of F32, F16, BF16, Q8_0, Q5_1, Q5_0, Q4_1, Q4_0");
  CHECK(in.size() % type.block == 0 && out.size() == in.size() / type.block * type.bytes);
  if (type.block > 1 && !std::ranges::all_of(in, [](float v) { return std::isfinite(v); }))
    return base::fail(base::Code::kNumeric,
                      fmt::format("{} cannot hold NaN or infinity", type.name),
                      "the weights to be written are damaged");
  auto* p = reinterpret_cast<uint8_t*>(out.data());
  for (size_t b = 0; b < in.size() / type.block; ++b)
    quantise_block(dtype, in.data() + b * type.block, p + b * type.bytes);
  return {};
}

}  // namespace expunge::tensor
