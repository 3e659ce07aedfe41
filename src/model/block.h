// One block for every architecture, written once over its operations: the packed inference pass,
// the differentiable pass of training and the plain pass each supply their own.
#pragma once

#include "model/arch.h"

namespace expunge::model {

using tensor::Tensor;

// Where a hook is called in a layer, with the shape of what it sees (rows packed over sequences).
enum class Point {
  kMlpInput,    // what the MLP reads                               [rows,D]
  kDownInput,   // what its last matrix reads                       [rows,F]
  kMlpOutput,   // what its last matrix gives, before any norm      [rows,D]
  kBlockOutput  // residual stream after the block                  [rows,D]
};

// The operations of one layer.
class BlockOps {
 public:
  virtual ~BlockOps() = default;
  virtual Tensor norm(const Tensor& x, Role role) = 0;  // of each row
  virtual Tensor linear(const Tensor& x, Role role) = 0;
  // Rotates q [rows,N*K] and k [rows,G*K], appends k and v, attends causally -> [rows,N*K].
  virtual Tensor attention(Tensor q, Tensor k, Tensor v) = 0;
  virtual Tensor gated(const Tensor& gate, const Tensor& up) = 0;  // act(gate) up
  virtual Tensor activated(const Tensor& x) = 0;                   // act(x)
  virtual Tensor add(const Tensor& a, const Tensor& b) = 0;
  virtual Tensor tap(Point point, Tensor value) = 0;
};

Tensor run_block(const Arch& arch, BlockOps& ops, Tensor x);  // [rows,D] -> [rows,D]

}  // namespace expunge::model
