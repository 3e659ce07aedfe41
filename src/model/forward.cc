#include "model/forward.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "tensor/kernels/attention.h"
#include "tensor/kernels/rope_norm.h"

namespace expunge::model {
namespace {

namespace kernels = tensor::kernels;

// What the packed rows of a pass have in common in every layer.
struct Pack {
  std::map<int64_t, std::vector<kernels::AttentionRow>> rows;  // by window; 0: none
  std::vector<int32_t> positions, lengths;                     // of rows, of their sequences
  std::vector<int32_t> slots;
  std::vector<RopeTable> ropes;  // of Arch::ropes
};

// A hidden token's keys and values go to a slot that no row sees.
Pack pack_rows(const Arch& arch, std::span<const Chunk> chunks, const Sequence& unseen) {
  Pack pack;
  std::vector<kernels::AttentionRow> rows;
  for (const Chunk& chunk : chunks) {
    const Sequence& s = *chunk.sequence;
    CHECK(s.length() >= chunk.ids.size());
    const auto hidden = static_cast<size_t>(std::ranges::count(chunk.ids, chunk.hidden_id));
    size_t position = s.length() - chunk.ids.size();
    size_t visible = s.slots.size() - (chunk.ids.size() - hidden);
    for (const int32_t id : chunk.ids) {
      const bool seen = id != chunk.hidden_id;
      pack.slots.push_back(seen ? s.slots[visible] : unseen.slots[0]);
      visible += seen;
      // A row that may see nothing sees itself, so that it stays finite.
      rows.push_back({visible > 0 ? s.slots.data() : unseen.slots.data(),
                      static_cast<int32_t>(std::max<size_t>(visible, 1))});
      pack.positions.push_back(static_cast<int32_t>(position++));
      pack.lengths.push_back(static_cast<int32_t>(s.length()));
    }
  }
  for (int64_t layer = 0; layer < arch.n_layers; ++layer) {
    const int64_t window = arch.attention_of(layer).window;
    const auto [it, fresh] = pack.rows.try_emplace(window, rows);
    if (!fresh || window == 0) continue;
    for (kernels::AttentionRow& row : it->second)
      row.n_hidden = static_cast<int32_t>(std::max<int64_t>(0, row.n_visible - window));
  }
  for (const Rope& rope : arch.ropes)
    pack.ropes.push_back(rope_table(rope, arch.rotary(), pack.positions, pack.lengths));
  return pack;
}

Tensor project(const Model& model, const Tensor& x, Role role, int64_t layer) {
  const Param& w = model.param(role, layer);
  const bool rounded = model.activations() == tensor::Activations::kQ8;
  const tensor::StoredMatrix m = rounded ? w.written_matrix() : w.adapted().matrix();
  Tensor y =
      tensor::times_transposed(rounded ? tensor::rounded_for(m.dtype, x) : x, m);  // [rows,O]
  if (const LowRank* adapter = w.adapter()) {
    const Tensor inner = tensor::times_transposed(x, tensor::stored(adapter->s));       // [rows,R]
    const Tensor change = tensor::times_transposed(inner, tensor::stored(adapter->u));  // [rows,O]
    // Not LibTorch's addition: its threads would wait, spinning, beside those of the products.
    kernels::add(y.data_ptr<float>(), change.data_ptr<float>(), y.numel(), y.data_ptr<float>());
  }
  if (model.arch().biases.contains(role)) y.add_(model.bias(role, layer).value());
  return y;
}

Tensor norm_rows(const Model& model, const Tensor& x, Role role, int64_t layer) {
  const Tensor w = model.param(role, layer).value();
  const Arch& arch = model.arch();
  if (arch.norm == Norm::kLayer)
    return at::layer_norm(x, {x.size(1)}, w, model.bias(role, layer).value(), arch.norm_eps);
  Tensor y = at::empty_like(x);  // [rows,D]
  kernels::rms_norm(x.data_ptr<float>(), w.data_ptr<float>(), x.size(0), x.size(1),
                    static_cast<float>(arch.norm_eps), y.data_ptr<float>());
  return y;
}

class PackedOps final : public BlockOps {
 public:
  PackedOps(const Model& model, KvPool& pool, const Pack& pack, const Hook& hook)
      : model_(model), arch_(model.arch()), pool_(pool), pack_(pack), hook_(hook) {}
  void enter(int64_t layer) { layer_ = layer; }

  Tensor norm(const Tensor& x, Role role) override {
    return norm_rows(model_, x, role, in_layer(role) ? layer_ : -1);
  }
  Tensor linear(const Tensor& x, Role role) override { return project(model_, x, role, layer_); }
  Tensor attention(Tensor q, Tensor k, Tensor v) override {
    const int64_t rows = q.size(0), width = arch_.n_kv_heads * arch_.head_dim;
    const LayerAttention how = arch_.attention_of(layer_);
    if (!pack_.ropes.empty()) {
      const RopeTable& table = pack_.ropes[how.rope];
      const float *cos = table.cos.data_ptr<float>(), *sin = table.sin.data_ptr<float>();
      const kernels::RopeShape shape{rows, arch_.n_heads, arch_.head_dim, arch_.rotary()};
      kernels::rope(q.data_ptr<float>(), shape, cos, sin);
      kernels::rope(k.data_ptr<float>(), shape.with_heads(arch_.n_kv_heads), cos, sin);
    }
    float* keys = pool_.keys(layer_).data_ptr<float>();
    float* values = pool_.values(layer_).data_ptr<float>();
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t slot = pack_.slots[static_cast<size_t>(r)];
      std::copy_n(k.data_ptr<float>() + r * width, width, keys + slot * width);
      std::copy_n(v.data_ptr<float>() + r * width, width, values + slot * width);
    }
    Tensor out = at::empty_like(q);  // [rows,N*K]
    const kernels::AttentionShape shape{arch_.n_heads, arch_.n_kv_heads, arch_.head_dim,
                                        static_cast<float>(arch_.score_scale())};
    kernels::attention(pack_.rows.at(how.window), q.data_ptr<float>(), keys, values, shape,
                       out.data_ptr<float>());
    return out;
  }
  Tensor gated(const Tensor& gate, const Tensor& up) override {
    Tensor y = at::empty_like(gate);  // [rows,F]
    const auto multiply = arch_.activation == Activation::kSilu ? kernels::swiglu : kernels::geglu;
    multiply(gate.data_ptr<float>(), up.data_ptr<float>(), gate.numel(), y.data_ptr<float>());
    return y;
  }
  Tensor activated(const Tensor& x) override { return activate(arch_, x); }
  Tensor add(const Tensor& a, const Tensor& b) override {
    Tensor y = at::empty_like(a);  // [rows,D]
    kernels::add(a.data_ptr<float>(), b.data_ptr<float>(), a.numel(), y.data_ptr<float>());
    return y;
  }
  Tensor tap(Point point, Tensor value) override {
    return hook_ ? hook_(point, layer_, std::move(value)).contiguous() : value;
  }

 private:
  const Model& model_;
  const Arch& arch_;
  KvPool& pool_;
  const Pack& pack_;
  const Hook& hook_;
  int64_t layer_ = 0;
};

}  // namespace

Tensor Runner::forward(std::span<const Chunk> chunks, const Hook& hook, int64_t last_layer) {
  for (const Chunk& chunk : chunks) append(chunk);
  return compute(chunks, hook, last_layer);
}

void Runner::append(const Chunk& chunk) {
  const auto hidden = static_cast<size_t>(std::ranges::count(chunk.ids, chunk.hidden_id));
  chunk.sequence->n_hidden += hidden;
  pool_->extend(*chunk.sequence, chunk.ids.size() - hidden);
  if (hidden > 0 && unseen_.slots.empty()) pool_->extend(unseen_, 1);
}

Tensor Runner::compute(std::span<const Chunk> chunks, const Hook& hook, int64_t last_layer) {
  std::vector<int32_t> ids, positions;
  for (const Chunk& chunk : chunks) {
    ids.insert(ids.end(), chunk.ids.begin(), chunk.ids.end());
    auto position = static_cast<int32_t>(chunk.sequence->length() - chunk.ids.size());
    for (size_t i = 0; i < chunk.ids.size(); ++i) positions.push_back(position++);
  }
  const c10::InferenceMode no_grad;
  return run(chunks, embed(model_, ids, positions), 0, last_layer, hook);
}

Tensor Runner::resume(std::span<const Chunk> chunks, int64_t layer, Tensor hidden,
                      const Hook& hook) {
  return run(chunks, hidden.contiguous(), layer, -1, hook);
}

Tensor Runner::run(std::span<const Chunk> chunks, Tensor x, int64_t first, int64_t last,
                   const Hook& hook) {
  const c10::InferenceMode no_grad;
  const Arch& arch = model_.arch();
  const Pack pack = pack_rows(arch, chunks, unseen_);
  PackedOps ops(model_, *pool_, pack, hook);
  const int64_t end = last < 0 ? arch.n_layers : last + 1;
  for (int64_t layer = first; layer < end; ++layer) {
    ops.enter(layer);
    x = run_block(arch, ops, x);
  }
  return last >= 0 ? x : norm_rows(model_, x, Role::kFinalNorm, -1);
}

Tensor Runner::logits(const Tensor& hidden) const {
  const c10::InferenceMode no_grad;
  const Arch& arch = model_.arch();
  const Tensor y = project(model_, hidden, head_role(arch), -1);
  return arch.logit_cap > 0 ? at::tanh_(y.div_(arch.logit_cap)).mul_(arch.logit_cap) : y;
}

}  // namespace expunge::model
