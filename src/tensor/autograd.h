// Differentiable operations of training, cheaper than LibTorch's own at these shapes.
//
// A weight's gradient is not returned through the graph: it is added in place to w.grad(), which
// train() creates. So no gradient is ever stored twice, and many passes add up without a copy.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "tensor/stored_matrix.h"
#include "tensor/tensor.h"

namespace expunge::tensor {

// Makes `w` a leaf with a gradient of zeros. The operations below train only such leaves.
void train(Tensor& w);

// What is added to a matrix: scale (b a - b0 a0), with a [R,I] and b [O,R] trained or not, and a0
// and b0 constants; undefined factors add nothing.
struct LowRankChange {
  Tensor a = {}, b = {}, a0 = {}, b0 = {};
  double scale = 1;
};
// Takes dw [O,I], once per pass, instead of adding it to w.grad(), which is then not
// needed.
using GradientUse = std::function<void(const Tensor& gradient)>;
// x [n,I], w [O,I] -> x (w + change)ᵀ [n,O].
Tensor linear(const Tensor& x, const Tensor& w, const LowRankChange& change = {},
              const GradientUse& use = {});
// The same with a matrix that is not trained, as its file stores it; it must outlive the graph.
Tensor linear(const Tensor& x, const StoredMatrix& w, const LowRankChange& change = {});
// ids [n] -> rows of w [V,D].
Tensor embedding(const Tensor& ids, const Tensor& w);
// x [n,D], w [D] -> w x / rms(x) (Zhang and Sennrich 2019, eq. 4).
Tensor rms_norm(const Tensor& x, const Tensor& w, double eps);
// silu(gate) * up; stores its two arguments for the backward pass and nothing else.
Tensor swiglu(const Tensor& gate, const Tensor& up);
Tensor add(const Tensor& a, const Tensor& b);
// f(x) that stores x alone: f runs again in the backward pass (Chen et al. 2016, arXiv
// 1604.06174). The leaves that f sees get their gradients; f must give the same each time.
Tensor recomputed(const Tensor& x, std::function<Tensor(const Tensor&)> f);

// Angles of rows; cos, sin and minus_sin [n,R/2].
struct Rotation {
  Tensor cos, sin, minus_sin;
};
// x [n,N,K] with the pairs (i, i + R/2) of each row turned by its angles (Su et al. 2021, eq. 34).
Tensor rope(const Tensor& x, const std::shared_ptr<const Rotation>& by);

// Sequences packed into rows, shared beginnings once: paths[e] are the rows of sequence e in order;
// the last owned[e] of them are its own, those before them belong to an earlier sequence.
struct Paths {
  std::vector<std::vector<int32_t>> rows;
  std::vector<int64_t> owned;
};
struct Sight {
  double scale;        // of scores
  int64_t window = 0;  // rows of its path that a row sees, itself included; 0: all before it
};
// Causal attention along each path. q [n,N,K] and k, v [n,G,K], rotated -> [n,N,K].
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v,
                 const std::shared_ptr<const Paths>& paths, const Sight& sight);

// A number per row of logits. `value`: logits [c,V] of rows begin.. -> [c]; differentiable unless
// `gradient` is given, which turns logits into dlogits in place, given dvalue [c].
struct RowFunction {
  std::function<Tensor(const Tensor& logits, int64_t begin)> value;
  std::function<void(Tensor& logits, int64_t begin, const Tensor& dvalue)> gradient = {};
};
// What turns hidden states into logits: a weight [V,D] that may be trained, or if it is undefined
// the frozen one; bias [V] or undefined; with a cap c, c tanh(logits / c).
struct Head {
  Tensor weight = {}, bias = {};
  StoredMatrix frozen = {};
  double cap = 0;
};
// hidden [n,D] -> value(logits) [n]. The logits are made in pieces of kHeadRows
// rows, and again in the backward pass.
constexpr int64_t kHeadRows = 128;
Tensor head_rows(const Tensor& hidden, const Head& head, RowFunction function);
// log softmax(logits)[target] a row; targets [n].
RowFunction log_prob(Tensor targets);

// d loss, through everything above: adds to the gradients of the leaves.
void backward(const Tensor& loss);

}  // namespace expunge::tensor
