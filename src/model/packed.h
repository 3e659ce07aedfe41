// The forward pass of training: several sequences packed into rows without padding, their common
// beginning computed once, differentiable in the variables given.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/forward.h"
#include "tensor/autograd.h"

namespace expunge::model {

// A sequence whose tokens ids[first..] are predicted; first >= 1.
struct Example {
  std::vector<int32_t> ids;
  size_t first = 1;
  size_t n_predicted() const { return ids.size() - first; }
};

// What stands in for a weight: another matrix, a low-rank change (Hu et al. 2021, eq. 3), or both.
// a0 and b0 are the initial factors where those are not zero: their product is subtracted, so
// that at first the change is exactly zero.
struct Variable {
  Tensor weight = {};            // [O,I]; undefined: the model's
  Tensor a = {}, b = {};         // [R,I], [O,R]; undefined: none
  double scale = 1;              // W x + scale (b a x - b0 a0 x)
  Tensor a0 = {}, b0 = {};       // as a, b; undefined: zero
  tensor::GradientUse use = {};  // of a layer's matrix in `weight` without factors
};
using Variables = std::map<std::string, Variable, std::less<>>;  // by checkpoint name

// Rows of a pass. The last token of an example is only predicted, so it has no row.
struct Packed {
  std::vector<int32_t> ids;        // [rows]
  std::vector<int32_t> positions;  // [rows]
  std::vector<int32_t> lengths;    // [rows], of their sequences
  std::shared_ptr<const tensor::Paths> paths;
  // Of example e: where its rows are, all of them and those that predict ids[first..].
  std::vector<std::vector<int64_t>> rows, predicting;
};
Packed pack(std::span<const Example* const> examples);

struct PackedOptions {
  Hook hook = {};           // called again where a layer is computed again
  int64_t last_layer = -1;  // >= 0: stop after it; the residual stream is returned, not normed
  int64_t first_layer = 0;  // > 0: begin with it, from `entering` [rows,D]
  Tensor entering = {};
  double temperature = 1;  // attention logits are divided by it
  // Activations for the backward pass are stored for the last layers within this many bytes, always
  // for the very last one; earlier layers store only their input and are computed again.
  size_t activation_bytes = size_t{96} << 20;
};
// -> final normed hidden states [rows,D].
Tensor forward_packed(const Model& model, const Variables& variables, const Packed& packed,
                      const PackedOptions& options = {});
// What turns hidden states into logits.
tensor::Head head(const Model& model, const Variables& variables);

}  // namespace expunge::model
