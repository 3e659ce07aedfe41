// The forward pass in plain operations: the definition that the others are held to.
#include "model/forward.h"

namespace expunge::model {
namespace {

class PlainOps final : public BlockOps {
 public:
  // `batch` sequences of n_tokens each, one after another in the rows.
  PlainOps(const Model& model, int64_t batch, int64_t n_tokens, const Hook& hook)
      : model_(model), arch_(model.arch()), batch_(batch), length_(n_tokens), hook_(hook) {
    const std::vector<int32_t> positions = first_positions(n_tokens);
    const std::vector<int32_t> lengths(positions.size(), static_cast<int32_t>(n_tokens));
    for (const Rope& rope : arch_.ropes)
      ropes_.push_back(rope_table(rope, arch_.rotary(), positions, lengths));
  }
  void enter(int64_t layer) { layer_ = layer; }

  Tensor norm(const Tensor& x, Role role) override {
    const int64_t layer = in_layer(role) ? layer_ : -1;
    const Tensor w = model_.param(role, layer).value();
    if (arch_.norm == Norm::kRms) return at::rms_norm(x, {x.size(-1)}, w, arch_.norm_eps);
    return at::layer_norm(x, {x.size(-1)}, w, model_.bias(role, layer).value(), arch_.norm_eps);
  }
  Tensor linear(const Tensor& x, Role role) override {
    const Tensor y = at::linear(x, model_.param(role, layer_).value());
    return arch_.biases.contains(role) ? y + model_.bias(role, layer_).value() : y;
  }
  Tensor attention(Tensor q, Tensor k, Tensor v) override {
    const auto heads = [&](const Tensor& t, int64_t n) {
      return t.view({batch_, length_, n, arch_.head_dim}).transpose(1, 2);  // [B,n,T,K]
    };
    const Tensor out = at::scaled_dot_product_attention(
        rotate(heads(q, arch_.n_heads)), rotate(heads(k, arch_.n_kv_heads)),
        heads(v, arch_.n_kv_heads), visible(), 0.0, /*is_causal=*/false, arch_.score_scale(),
        /*enable_gqa=*/true);                                    // [B,N,T,K]
    return out.transpose(1, 2).reshape({batch_ * length_, -1});  // [rows,N*K]
  }
  Tensor gated(const Tensor& gate, const Tensor& up) override { return activate(arch_, gate) * up; }
  Tensor activated(const Tensor& x) override { return activate(arch_, x); }
  Tensor add(const Tensor& a, const Tensor& b) override { return a + b; }
  Tensor tap(Point point, Tensor value) override {
    return hook_ ? hook_(point, layer_, std::move(value)) : value;
  }

 private:
  // Which keys a query sees [T,T]: those up to itself, and of a window its last ones.
  Tensor visible() const {
    const Tensor all = at::ones({length_, length_}, at::kBool).tril();
    const int64_t window = arch_.attention_of(layer_).window;
    return window > 0 ? all.triu(1 - window) : all;
  }
  Tensor rotate(const Tensor& x) const {  // [B,n,T,K], rotate_half of the leading components
    if (ropes_.empty()) return x;
    const RopeTable& table = ropes_[arch_.attention_of(layer_).rope];
    const int64_t half = arch_.rotary() / 2, rest = x.size(-1) - 2 * half;
    const Tensor a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half);
    return at::cat({a * table.cos - b * table.sin, b * table.cos + a * table.sin,
                    x.narrow(-1, 2 * half, rest)},
                   -1);
  }
  const Model& model_;
  const Arch& arch_;
  int64_t batch_, length_;
  const Hook& hook_;
  std::vector<RopeTable> ropes_;
  int64_t layer_ = 0;
};

}  // namespace

Tensor activate(const Arch& arch, const Tensor& x) {
  return arch.activation == Activation::kSilu ? at::silu(x) : at::gelu(x, "tanh");
}

Tensor embed(const Model& model, std::span<const int32_t> ids, std::span<const int32_t> positions) {
  const Arch& arch = model.arch();
  const auto rows = [&](Role role, std::span<const int32_t> of) {
    const Param& w = model.param(role);
    const Tensor index = tensor::from_ids({of.begin(), of.end()});
    return w.in_blocks() ? tensor::dequantised_rows(w.matrix(), index)
                         : w.value().index_select(0, index);
  };
  Tensor x = rows(Role::kEmbedding, ids);  // [rows,D]
  if (arch.embedding_scale != 1) x = x * arch.embedding_scale;
  return has(arch, Role::kPositions) ? x + rows(Role::kPositions, positions) : x;
}

Tensor forward_plain(const Model& model, std::span<const int32_t> ids, const Hook& hook) {
  const auto n = static_cast<int64_t>(ids.size());
  return plain_tail(model, embed(model, ids, first_positions(n)), 0, hook);
}

Tensor plain_tail(const Model& model, Tensor x, int64_t first_layer, const Hook& hook,
                  int64_t batch) {
  const Arch& arch = model.arch();
  PlainOps ops(model, batch, x.size(0) / batch, hook);
  for (int64_t layer = first_layer; layer < arch.n_layers; ++layer) {
    ops.enter(layer);
    x = run_block(arch, ops, x);
  }
  return ops.norm(x, Role::kFinalNorm);
}

Tensor plain_logits(const Model& model, const Tensor& hidden) {
  const Arch& arch = model.arch();
  Tensor y = at::linear(hidden, model.param(head_role(arch)).value());
  if (arch.biases.contains(Role::kHead)) y = y + model.bias(Role::kHead).value();
  return arch.logit_cap > 0 ? at::tanh(y / arch.logit_cap) * arch.logit_cap : y;
}

}  // namespace expunge::model
