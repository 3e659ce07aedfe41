#include "model/packed.h"

#include <algorithm>

#include "model/prefix_plan.h"

namespace expunge::model {
namespace {

// One of them serves all layers of a pass, in the backward pass too.
class TrainingOps final : public BlockOps {
 public:
  TrainingOps(const Model& model, const Variables& variables, const Packed& packed,
              const PackedOptions& options)
      : model_(model),
        arch_(model.arch()),
        variables_(variables),
        paths_(packed.paths),
        hook_(options.hook),
        temperature_(options.temperature) {
    for (const Rope& rope : arch_.ropes) {
      const RopeTable t = rope_table(rope, arch_.rotary(), packed.positions, packed.lengths);
      rotations_.push_back(
          std::make_shared<tensor::Rotation>(tensor::Rotation{t.cos, t.sin, t.sin.neg()}));
    }
  }
  void enter(int64_t layer) { layer_ = layer; }

  Tensor norm(const Tensor& x, Role role) override {
    const int64_t layer = in_layer(role) ? layer_ : -1;
    const Tensor w = weight(weight_name(arch_, role, layer));
    if (arch_.norm == Norm::kRms) return tensor::rms_norm(x, w, arch_.norm_eps);
    return at::layer_norm(x, {x.size(1)}, w, weight(bias_name(arch_, role, layer)), arch_.norm_eps);
  }
  Tensor linear(const Tensor& x, Role role) override {
    const Tensor y = product(x, weight_name(arch_, role, layer_));
    return arch_.biases.contains(role) ? y + weight(bias_name(arch_, role, layer_)) : y;
  }
  Tensor attention(Tensor q, Tensor k, Tensor v) override {
    const int64_t rows = q.size(0);
    const LayerAttention how = arch_.attention_of(layer_);
    const auto rotated = [&](const Tensor& t, int64_t n) {
      const Tensor heads = t.view({rows, n, arch_.head_dim});
      return rotations_.empty() ? heads : tensor::rope(heads, rotations_[how.rope]);
    };
    const Tensor out =
        tensor::attention(rotated(q, arch_.n_heads), rotated(k, arch_.n_kv_heads),
                          v.view({rows, arch_.n_kv_heads, arch_.head_dim}), paths_,
                          {.scale = arch_.score_scale() / temperature_, .window = how.window});
    return out.reshape({rows, arch_.n_heads * arch_.head_dim});
  }
  Tensor gated(const Tensor& gate, const Tensor& up) override {
    return arch_.activation == Activation::kSilu ? tensor::swiglu(gate, up)
                                                 : activate(arch_, gate) * up;
  }
  Tensor activated(const Tensor& x) override { return activate(arch_, x); }
  Tensor add(const Tensor& a, const Tensor& b) override { return tensor::add(a, b); }
  Tensor tap(Point point, Tensor value) override {
    return hook_ ? hook_(point, layer_, std::move(value)) : value;
  }

  // What enters the first layer [rows,D].
  Tensor embedded(const Packed& packed) const {
    const std::string name = weight_name(arch_, Role::kEmbedding);
    const Tensor ids = tensor::from_ids(packed.ids);
    Tensor x = frozen(name) ? tensor::dequantised_rows(model_.param(name).matrix(), ids)
                            : tensor::embedding(ids, weight(name));
    if (arch_.embedding_scale != 1) x = x * arch_.embedding_scale;
    if (!has(arch_, Role::kPositions)) return x;
    return x + tensor::embedding(tensor::from_ids(packed.positions),
                                 weight(weight_name(arch_, Role::kPositions)));
  }

 private:
  Tensor product(const Tensor& x, const std::string& name) const {
    const auto it = variables_.find(name);
    static const Variable kNone;
    const Variable& v = it == variables_.end() ? kNone : it->second;
    const tensor::LowRankChange change{v.a, v.b, v.a0, v.b0, v.scale};
    if (!v.weight.defined()) return tensor::linear(x, model_.param(name).matrix(), change);
    return tensor::linear(x, v.weight, change, v.use);
  }
  // Whether the model's own tensor is used: without a gradient, as its file stores it.
  bool frozen(std::string_view name) const {
    const auto it = variables_.find(name);
    return it == variables_.end() || !it->second.weight.defined();
  }
  Tensor weight(const std::string& name) const {
    return frozen(name) ? model_.param(name).value() : variables_.at(name).weight;
  }

  const Model& model_;
  const Arch& arch_;
  const Variables& variables_;
  std::shared_ptr<const tensor::Paths> paths_;
  Hook hook_;
  double temperature_;
  std::vector<std::shared_ptr<const tensor::Rotation>> rotations_;
  int64_t layer_ = 0;
};

// Stored per layer and row for the backward pass: its input, both norms' outputs and the stream
// between; q, k, v and attention's output; gate, up and their product.
size_t activation_bytes(const Arch& c) {
  return sizeof(float) *
         static_cast<size_t>(4 * c.d_model + 2 * c.head_dim * (c.n_heads + c.n_kv_heads) +
                             3 * c.d_ff);
}

}  // namespace

Packed pack(std::span<const Example* const> examples) {
  std::vector<PlanInput> inputs;
  for (const Example* e : examples) {
    CHECK(e->first >= 1 && e->first <= e->ids.size());
    inputs.push_back({std::span(e->ids).first(e->ids.size() - 1), e->first - 1});
  }
  const PrefixPlan plan = plan_prefixes(inputs, {.sharing = Sharing::kNeighbours,
                                                 .worth_sharing = PrefixPlan::kNever,
                                                 .pass_rows = PrefixPlan::kNever});
  Packed p;
  p.rows.resize(examples.size());
  p.predicting.resize(examples.size());
  auto paths = std::make_shared<tensor::Paths>();
  for (const PrefixPlan::Pass& pass : plan.passes)  // one, or none without examples
    for (const auto& [e, n_known, rows] : pass.steps) {
      const auto ids = inputs[e].ids;
      paths->owned.push_back(static_cast<int64_t>(ids.size() - n_known));
      for (size_t t = n_known; t < ids.size(); ++t) {
        p.ids.push_back(ids[t]);
        p.positions.push_back(static_cast<int32_t>(t));
        p.lengths.push_back(static_cast<int32_t>(ids.size() + 1));  // the last one too
      }
      p.rows[e] = rows;
      p.predicting[e].assign(rows.begin() + static_cast<std::ptrdiff_t>(inputs[e].first_wanted),
                             rows.end());
      paths->rows.emplace_back(rows.begin(), rows.end());
    }
  p.paths = std::move(paths);
  return p;
}

tensor::Head head(const Model& model, const Variables& variables) {
  const Arch& arch = model.arch();
  const auto changed = [&](const std::string& name) {
    const auto it = variables.find(name);
    return it != variables.end() ? it->second.weight : Tensor();
  };
  tensor::Head head{.weight = changed(weight_name(arch, head_role(arch))), .cap = arch.logit_cap};
  if (!head.weight.defined()) head.frozen = model.param(head_role(arch)).matrix();
  if (!arch.biases.contains(Role::kHead)) return head;
  const std::string bias = bias_name(arch, Role::kHead);
  head.bias = changed(bias).defined() ? changed(bias) : model.param(bias).value();
  return head;
}

Tensor forward_packed(const Model& model, const Variables& variables, const Packed& packed,
                      const PackedOptions& options) {
  const Arch& arch = model.arch();
  const auto ops = std::make_shared<TrainingOps>(model, variables, packed, options);
  Tensor x = options.first_layer == 0 ? ops->embedded(packed) : options.entering;
  const int64_t end = options.last_layer < 0 ? arch.n_layers : options.last_layer + 1;
  const size_t a_layer = packed.ids.size() * activation_bytes(arch);
  const auto n_kept = static_cast<int64_t>(std::max(options.activation_bytes / a_layer, size_t{1}));
  for (int64_t layer = options.first_layer; layer < end; ++layer) {
    const auto block = [ops, &arch, layer](const Tensor& entering) {
      ops->enter(layer);
      return run_block(arch, *ops, entering);
    };
    x = end - layer <= n_kept ? block(x) : tensor::recomputed(x, block);
  }
  return options.last_layer >= 0 ? x : ops->norm(x, Role::kFinalNorm);
}

}  // namespace expunge::model
