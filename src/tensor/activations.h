// How products see their activations: as float32, or rounded as llama.cpp's CPU kernels round them
// before they multiply with blocks.
//
// ggml rounds the activations of a product to the type that its kernel for the weight's type reads
// (type_traits_cpu[].vec_dot_type in ggml/src/ggml-cpu/ggml-cpu.c, MIT): blocks of 32 whole numbers
// of eight bits with a float16 scale (Q8_0, Q8_1), blocks of 256 with a float32 scale (Q8_K),
// float16 or bfloat16. Their sums are exact integers, so a float32 product of the rounded values is
// the same up to the order of additions. Not modelled: Q8_1's sum of a block, kept in float16.
#pragma once

#include <string_view>

#include "tensor/quant.h"
#include "tensor/tensor.h"

namespace expunge::tensor {

enum class Activations { kFloat, kQ8 };
std::string_view name(Activations a);  // "float", "q8"
std::optional<Activations> activations_from_name(std::string_view name);

// x [n,I] as the kernel for weights of this type sees it; x itself for F32 and types of integers.
// I is a multiple of the weight's block.
Tensor rounded_for(DType weight, const Tensor& x);

}  // namespace expunge::tensor
