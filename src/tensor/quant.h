// Block formats of GGUF: sizes, dequantisation to float32 and quantisation from it.
//
// Bit-equal with the `gguf` Python package (gguf/quants.py, MIT), which is the reference of
// llama.cpp's own formats. A block of the legacy formats, IQ4_NL and MXFP4 has 32 weights, of the K
// formats, the other IQ formats (codebooks: iq_grids.h) and TQ (ternary) 256. K, IQ, MXFP4 and TQ
// can only be read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/error.h"

namespace expunge::tensor {

enum class DType {
  kF32,
  kF16,
  kBF16,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kIQ1_S,
  kIQ1_M,
  kIQ2_XXS,
  kIQ2_XS,
  kIQ2_S,
  kIQ3_XXS,
  kIQ3_S,
  kIQ4_NL,
  kIQ4_XS,
  kMXFP4,
  kTQ1_0,
  kTQ2_0,
  kI8,  // from here on: of tensors that are carried along and that no model here computes with
  kI16,
  kI32,
  kI64,
  kF64,
  kU8,  // from here on: in safetensors alone
  kU16,
  kU32,
  kU64,
  kBool,
  kF8_E4M3,
  kF8_E5M2,
  kF8_E8M0,
  kC64
};
constexpr uint32_t kNotInGguf = UINT32_MAX;

struct DTypeInfo {
  DType dtype;
  std::string_view name;  // "Q4_1"
  uint32_t ggml_id;       // the number in a GGUF, or kNotInGguf
  size_t block;           // weights a block
  size_t bytes;           // bytes a block
  bool can_quantise;
};
const DTypeInfo& info(DType dtype);
// Whether a weight may be of this type; tensors of other types are only carried along.
constexpr bool holds_weights(DType dtype) { return dtype < DType::kI8; }
std::optional<DType> dtype_from_ggml(uint32_t ggml_id);
std::optional<DType> dtype_from_name(std::string_view name);  // any case

// `in` has whole blocks, out.size() weights. CHECKs the sizes, and that the type holds weights.
void dequantise(DType dtype, std::span<const std::byte> in, std::span<float> out);
// Whether no weight is NaN or infinite. Of most formats the scales tell.
bool all_finite(DType dtype, std::span<const std::byte> in);
// What an edited matrix is written as whose file stores `dtype`: the same, Q8_0 if that can only be
// read.
DType writable_type(DType dtype);
// Errors: kUnsupported for a format that can only be read; kNumeric for NaN or infinity in a block.
base::Status quantise(DType dtype, std::span<const float> in, std::span<std::byte> out);

}  // namespace expunge::tensor
