#include "model/forward.h"

#include <algorithm>
#include <cmath>

#include "model/names.h"
#include "tensor/kernels/attention.h"
#include "tensor/kernels/gemm.h"
#include "tensor/kernels/matvec.h"
#include "tensor/kernels/rope_norm.h"

namespace expunge::model {
namespace {

namespace kernels = tensor::kernels;

// What the packed rows of a pass have in common in every layer.
struct Pack {
  std::vector<kernels::AttentionRow> rows;
  std::vector<int32_t> positions;
  std::vector<int32_t> slots;
};

// A hidden token's keys and values go to a slot that no row sees.
Pack pack_rows(std::span<const Chunk> chunks, const Sequence& unseen) {
  Pack pack;
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
      pack.rows.push_back({visible > 0 ? s.slots.data() : unseen.slots.data(),
                           static_cast<int32_t>(std::max<size_t>(visible, 1))});
      pack.positions.push_back(static_cast<int32_t>(position++));
    }
  }
  return pack;
}

// From this many rows on, products take longer than reading float32 weights from memory: widening
// the blocks again would only add to it (generation in batches of 32: 4 % more).
constexpr int64_t kFloatRows = 24;

Tensor project(const Model& model, const Tensor& x, std::string_view name) {
  const Param& w = model.param(name);
  const int64_t rows = x.size(0), in = x.size(1), out = w.value.size(0);
  Tensor y = at::empty({rows, out}, tensor::f32());  // [rows,O]
  if (rows == 0) return y;
  const Tensor contiguous = x.contiguous();
  tensor::DType dtype = tensor::DType::kF32;
  auto bytes = reinterpret_cast<const std::byte*>(w.value.data_ptr<float>());
  if (w.blocks && rows < kFloatRows && kernels::matvec_supports(w.blocks->dtype))
    dtype = w.blocks->dtype, bytes = w.blocks->bytes.data();
  const auto multiply = rows <= kernels::kMatvecMaxRows ? kernels::matvec : kernels::gemm;
  multiply(dtype, bytes, contiguous.data_ptr<float>(), rows, in, out, y.data_ptr<float>());
  return y;
}

class PackedOps final : public BlockOps {
 public:
  PackedOps(const Model& model, KvPool& pool, const RopeTable& rope, const Pack& pack,
            const Hook& hook)
      : model_(model), pool_(pool), rope_(rope), pack_(pack), hook_(hook) {}
  void enter(int64_t layer) { layer_ = layer; }

  Tensor norm(const Tensor& x, std::string_view module) override {
    Tensor y = at::empty_like(x);  // [rows,D]
    kernels::rms_norm(x.data_ptr<float>(), weight(module).data_ptr<float>(), x.size(0), x.size(1),
                      static_cast<float>(model_.config().norm_eps), y.data_ptr<float>());
    return y;
  }
  Tensor linear(const Tensor& x, std::string_view module) override {
    return project(model_, x, layer_weight(layer_, module));
  }
  Tensor attention(Tensor q, Tensor k, Tensor v) override {
    const Config& c = model_.config();
    const int64_t rows = q.size(0);
    const float* cos = rope_.cos.data_ptr<float>();
    const float* sin = rope_.sin.data_ptr<float>();
    kernels::rope(q.data_ptr<float>(), pack_.positions, c.n_heads, c.head_dim, cos, sin);
    kernels::rope(k.data_ptr<float>(), pack_.positions, c.n_kv_heads, c.head_dim, cos, sin);
    float* keys = pool_.keys(layer_).data_ptr<float>();
    float* values = pool_.values(layer_).data_ptr<float>();
    const int64_t width = c.n_kv_heads * c.head_dim;
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t slot = pack_.slots[static_cast<size_t>(r)];
      std::copy_n(k.data_ptr<float>() + r * width, width, keys + slot * width);
      std::copy_n(v.data_ptr<float>() + r * width, width, values + slot * width);
    }
    Tensor out = at::empty_like(q);  // [rows,N*K]
    const kernels::AttentionShape shape{c.n_heads, c.n_kv_heads, c.head_dim,
                                        1.0F / std::sqrt(static_cast<float>(c.head_dim))};
    kernels::attention(pack_.rows, q.data_ptr<float>(), keys, values, shape, out.data_ptr<float>());
    return out;
  }
  Tensor swiglu(const Tensor& gate, const Tensor& up) override {
    Tensor y = at::empty_like(gate);  // [rows,F]
    kernels::swiglu(gate.data_ptr<float>(), up.data_ptr<float>(), gate.numel(),
                    y.data_ptr<float>());
    return y;
  }
  Tensor add(const Tensor& a, const Tensor& b) override {
    Tensor y = at::empty_like(a);  // [rows,D]
    kernels::add(a.data_ptr<float>(), b.data_ptr<float>(), a.numel(), y.data_ptr<float>());
    return y;
  }
  Tensor tap(Point point, Tensor value) override {
    return hook_ ? hook_(point, layer_, std::move(value)).contiguous() : value;
  }

 private:
  const Tensor& weight(std::string_view module) const {
    return model_.param(layer_weight(layer_, module)).value;
  }
  const Model& model_;
  KvPool& pool_;
  const RopeTable& rope_;
  const Pack& pack_;
  const Hook& hook_;
  int64_t layer_ = 0;
};

class PlainOps final : public BlockOps {
 public:
  PlainOps(const Model& model, const RopeTable& rope, const Hook& hook)
      : model_(model), rope_(rope), hook_(hook) {}
  void enter(int64_t layer) { layer_ = layer; }

  Tensor norm(const Tensor& x, std::string_view module) override {
    return at::rms_norm(x, {x.size(-1)}, weight(module), model_.config().norm_eps);
  }
  Tensor linear(const Tensor& x, std::string_view module) override {
    return at::linear(x, weight(module));
  }
  Tensor attention(Tensor q, Tensor k, Tensor v) override {
    const Config& c = model_.config();
    const auto heads = [&](const Tensor& t, int64_t n) {
      return t.view({t.size(0), n, c.head_dim}).transpose(0, 1);  // [n,T,K]
    };
    const Tensor out = at::scaled_dot_product_attention(
        rotate(heads(q, c.n_heads)).unsqueeze(0), rotate(heads(k, c.n_kv_heads)).unsqueeze(0),
        heads(v, c.n_kv_heads).unsqueeze(0), {}, 0.0, /*is_causal=*/true, std::nullopt,
        /*enable_gqa=*/true);                                        // [1,N,T,K]
    return out.squeeze(0).transpose(0, 1).reshape({q.size(0), -1});  // [T,N*K]
  }
  Tensor swiglu(const Tensor& gate, const Tensor& up) override { return at::silu(gate) * up; }
  Tensor add(const Tensor& a, const Tensor& b) override { return a + b; }
  Tensor tap(Point point, Tensor value) override {
    return hook_ ? hook_(point, layer_, std::move(value)) : value;
  }

 private:
  const Tensor& weight(std::string_view module) const {
    return model_.param(layer_weight(layer_, module)).value;
  }
  Tensor rotate(const Tensor& x) const {  // [n,T,K], rotate_half
    const int64_t half = x.size(-1) / 2, n = x.size(1);
    const Tensor a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half);
    const Tensor cos = rope_.cos.narrow(0, 0, n), sin = rope_.sin.narrow(0, 0, n);
    return at::cat({a * cos - b * sin, b * cos + a * sin}, -1);
  }
  const Model& model_;
  const RopeTable& rope_;
  const Hook& hook_;
  int64_t layer_ = 0;
};

Tensor embed(const Model& model, const std::vector<int32_t>& ids) {
  return model.param("model.embed_tokens.weight").value.index_select(0, tensor::from_ids(ids));
}

}  // namespace

std::string_view head_name(const Model& model) {
  return model.config().tied_embeddings ? "model.embed_tokens.weight" : "lm_head.weight";
}

RopeTable rope_table(const Config& config, int64_t n) {
  const int64_t half = config.head_dim / 2;
  Tensor frequency = at::empty({half}, tensor::f64());
  for (int64_t i = 0; i < half; ++i) {
    double f = std::pow(config.rope_theta,
                        -2.0 * static_cast<double>(i) / static_cast<double>(config.head_dim));
    if (config.rope_scaling) f = scaled_frequency(*config.rope_scaling, f);
    frequency.data_ptr<double>()[i] = f;
  }
  // The angle is rounded to float32 before cos and sin, as the reference implementation does.
  const Tensor angle =
      at::outer(at::arange(n, tensor::f32()), frequency.to(at::kFloat));  // [n,K/2]
  return {at::cos(angle).contiguous(), at::sin(angle).contiguous()};
}

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
  std::vector<int32_t> ids;
  for (const Chunk& chunk : chunks) ids.insert(ids.end(), chunk.ids.begin(), chunk.ids.end());
  return run(chunks, embed(model_, ids), 0, last_layer, hook);
}

Tensor Runner::resume(std::span<const Chunk> chunks, int64_t layer, Tensor hidden,
                      const Hook& hook) {
  return run(chunks, hidden.contiguous(), layer, -1, hook);
}

Tensor Runner::run(std::span<const Chunk> chunks, Tensor x, int64_t first, int64_t last,
                   const Hook& hook) {
  const c10::InferenceMode no_grad;
  const Config& c = model_.config();
  const Pack pack = pack_rows(chunks, unseen_);
  const int32_t longest = *std::max_element(pack.positions.begin(), pack.positions.end());
  if (!rope_.cos.defined() || rope_.cos.size(0) <= longest)
    rope_ = rope_table(c, std::max<int64_t>(512, 2 * (longest + 1)));
  PackedOps ops(model_, *pool_, rope_, pack, hook);
  const Family* family = find_family(c.family);
  const int64_t end = last < 0 ? c.n_layers : last + 1;
  for (int64_t layer = first; layer < end; ++layer) {
    ops.enter(layer);
    x = family->block(ops, x);
  }
  if (last >= 0) return x;
  Tensor y = at::empty_like(x);  // [rows,D]
  kernels::rms_norm(x.data_ptr<float>(), model_.param("model.norm.weight").value.data_ptr<float>(),
                    x.size(0), x.size(1), static_cast<float>(c.norm_eps), y.data_ptr<float>());
  return y;
}

Tensor Runner::logits(const Tensor& hidden) const {
  const c10::InferenceMode no_grad;
  return project(model_, hidden, head_name(model_));
}

Tensor forward_plain(const Model& model, std::span<const int32_t> ids, const Hook& hook) {
  return plain_tail(model, embed(model, {ids.begin(), ids.end()}), 0, hook);
}

Tensor plain_tail(const Model& model, Tensor x, int64_t first_layer, const Hook& hook) {
  const Config& c = model.config();
  const RopeTable rope = rope_table(c, x.size(0));
  PlainOps ops(model, rope, hook);
  for (int64_t layer = first_layer; layer < c.n_layers; ++layer) {
    ops.enter(layer);
    x = find_family(c.family)->block(ops, x);
  }
  return at::rms_norm(x, {c.d_model}, model.param("model.norm.weight").value, c.norm_eps);
}

Tensor plain_logits(const Model& model, const Tensor& hidden) {
  return at::linear(hidden, model.param(head_name(model)).value);
}

}  // namespace expunge::model
