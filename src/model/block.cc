#include "model/block.h"

namespace expunge::model {
namespace {

// Queries or keys [rows,n*K], each head's or all heads' normed.
Tensor normed(const Arch& a, BlockOps& ops, Tensor x, Role role) {
  if (a.qk_norm == QkNorm::kNone) return x;
  if (a.qk_norm == QkNorm::kWhole) return ops.norm(x, role);
  return ops.norm(x.reshape({-1, a.head_dim}), role).view(x.sizes());
}

Tensor attend(const Arch& a, BlockOps& ops, const Tensor& h) {
  Tensor q = normed(a, ops, ops.linear(h, Role::kQ), Role::kQNorm);  // [rows,N*K]
  Tensor k = normed(a, ops, ops.linear(h, Role::kK), Role::kKNorm);  // [rows,G*K]
  Tensor v = ops.linear(h, Role::kV);                                // [rows,G*K]
  const Tensor out =
      ops.linear(ops.attention(std::move(q), std::move(k), std::move(v)), Role::kO);  // [rows,D]
  return has(a, Role::kAttentionNorm) ? ops.norm(out, Role::kAttentionNorm) : out;
}

Tensor mlp(const Arch& a, BlockOps& ops, Tensor x) {
  const Tensor m = ops.tap(Point::kMlpInput, std::move(x));  // [rows,D]
  const Tensor key = ops.tap(
      Point::kDownInput, a.gated ? ops.gated(ops.linear(m, Role::kGate), ops.linear(m, Role::kUp))
                                 : ops.activated(ops.linear(m, Role::kUp)));    // [rows,F]
  const Tensor out = ops.tap(Point::kMlpOutput, ops.linear(key, Role::kDown));  // [rows,D]
  return has(a, Role::kMlpOutputNorm) ? ops.norm(out, Role::kMlpOutputNorm) : out;
}

}  // namespace

Tensor run_block(const Arch& a, BlockOps& ops, Tensor x) {
  const Tensor h = has(a, Role::kInputNorm) ? ops.norm(x, Role::kInputNorm) : x;
  const Tensor attended = attend(a, ops, h);
  if (a.parallel)
    return ops.tap(Point::kBlockOutput, ops.add(ops.add(attended, mlp(a, ops, h)), x));
  x = ops.add(x, attended);
  const Tensor m = has(a, Role::kMlpNorm) ? ops.norm(x, Role::kMlpNorm) : x;
  return ops.tap(Point::kBlockOutput, ops.add(x, mlp(a, ops, m)));
}

}  // namespace expunge::model
