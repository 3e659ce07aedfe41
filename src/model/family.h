// A model family is one file in families/: the words that select it and what a block computes.
//
// The block is written once over BlockOps; the packed inference pass and the plain differentiable
// pass each supply their own operations.
#pragma once

#include <string_view>
#include <vector>

#include "tensor/tensor.h"

namespace expunge::model {

// Where a hook is called in a layer, with the shape of what it sees (rows packed over sequences).
enum class Point {
  kMlpInput,    // post_attention_layernorm's output  [rows,D]
  kDownInput,   // mlp.down_proj's input              [rows,F]
  kMlpOutput,   // mlp.down_proj's output             [rows,D]
  kBlockOutput  // residual stream after the block    [rows,D]
};

// The operations of one layer; `module` is the checkpoint's name within the layer.
class BlockOps {
 public:
  virtual ~BlockOps() = default;
  virtual tensor::Tensor norm(const tensor::Tensor& x, std::string_view module) = 0;  // RMSNorm
  virtual tensor::Tensor linear(const tensor::Tensor& x, std::string_view module) = 0;
  // Rotates q [rows,N*K] and k [rows,G*K], appends k and v, attends causally -> [rows,N*K].
  virtual tensor::Tensor attention(tensor::Tensor q, tensor::Tensor k, tensor::Tensor v) = 0;
  virtual tensor::Tensor swiglu(const tensor::Tensor& gate, const tensor::Tensor& up) = 0;
  virtual tensor::Tensor add(const tensor::Tensor& a, const tensor::Tensor& b) = 0;
  virtual tensor::Tensor tap(Point point, tensor::Tensor value) = 0;
};

struct Family {
  std::string_view name;
  std::vector<std::string_view> words;                       // general.architecture, model_type
  tensor::Tensor (*block)(BlockOps& ops, tensor::Tensor x);  // [rows,D] -> [rows,D]
};

const Family* find_family(std::string_view word);  // nullptr when unknown
std::vector<const Family*> families();

}  // namespace expunge::model
