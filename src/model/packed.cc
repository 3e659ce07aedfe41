#include "model/packed.h"

#include <algorithm>
#include <cmath>

#include "model/names.h"
#include "model/prefix_plan.h"

namespace expunge::model {
namespace {

// One of them serves all layers of a pass, in the backward pass too.
class TrainingOps final : public BlockOps {
 public:
  TrainingOps(const Model& model, const Variables& variables, const Packed& packed,
              const PackedOptions& options)
      : model_(model),
        variables_(variables),
        paths_(packed.paths),
        hook_(options.hook),
        temperature_(options.temperature) {
    const Config& c = model.config();
    const int64_t longest = *std::ranges::max_element(packed.positions) + 1;
    const RopeTable rope = rope_table(c, longest);
    rotation_ = std::make_shared<tensor::Rotation>(
        tensor::Rotation{packed.positions, rope.cos, rope.sin, rope.sin.neg()});
  }
  void enter(int64_t layer) { layer_ = layer; }

  Tensor norm(const Tensor& x, std::string_view module) override {
    return tensor::rms_norm(x, weight(layer_weight(layer_, module)), model_.config().norm_eps);
  }
  Tensor linear(const Tensor& x, std::string_view module) override {
    const std::string name = layer_weight(layer_, module);
    const auto it = variables_.find(name);
    if (it == variables_.end()) return tensor::linear(x, weight(name));
    const Variable& v = it->second;
    if (!v.a.defined()) return tensor::linear(x, weight(name), {}, v.use);
    return tensor::linear(x, weight(name), {v.a, v.b, v.a0, v.b0, v.scale});
  }
  Tensor attention(Tensor q, Tensor k, Tensor v) override {
    const Config& c = model_.config();
    const int64_t rows = q.size(0);
    const Tensor out =
        tensor::attention(tensor::rope(q.view({rows, c.n_heads, c.head_dim}), rotation_),
                          tensor::rope(k.view({rows, c.n_kv_heads, c.head_dim}), rotation_),
                          v.view({rows, c.n_kv_heads, c.head_dim}), paths_,
                          1 / (std::sqrt(static_cast<double>(c.head_dim)) * temperature_));
    return out.reshape({rows, c.n_heads * c.head_dim});
  }
  Tensor swiglu(const Tensor& gate, const Tensor& up) override { return tensor::swiglu(gate, up); }
  Tensor add(const Tensor& a, const Tensor& b) override { return tensor::add(a, b); }
  Tensor tap(Point point, Tensor value) override {
    return hook_ ? hook_(point, layer_, std::move(value)) : value;
  }

  const Tensor& weight(std::string_view name) const {
    const auto it = variables_.find(name);
    return it != variables_.end() && it->second.weight.defined() ? it->second.weight
                                                                 : model_.param(name).value;
  }

 private:
  const Model& model_;
  const Variables& variables_;
  std::shared_ptr<const tensor::Paths> paths_;
  Hook hook_;
  double temperature_;
  std::shared_ptr<const tensor::Rotation> rotation_;
  int64_t layer_ = 0;
};

// Stored per layer and row for the backward pass: its input, both norms' outputs and the stream
// between; q, k, v and attention's output; gate, up and their product.
size_t activation_bytes(const Config& c) {
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
      }
      p.rows[e] = rows;
      p.predicting[e].assign(rows.begin() + static_cast<std::ptrdiff_t>(inputs[e].first_wanted),
                             rows.end());
      paths->rows.emplace_back(rows.begin(), rows.end());
    }
  p.paths = std::move(paths);
  return p;
}

Tensor head_weight(const Model& model, const Variables& variables) {
  const auto it = variables.find(head_name(model));
  return it != variables.end() && it->second.weight.defined() ? it->second.weight
                                                              : model.param(head_name(model)).value;
}

Tensor forward_packed(const Model& model, const Variables& variables, const Packed& packed,
                      const PackedOptions& options) {
  const Config& c = model.config();
  const auto ops = std::make_shared<TrainingOps>(model, variables, packed, options);
  Tensor x = options.entering;
  if (options.first_layer == 0)
    x = tensor::embedding(tensor::from_ids(packed.ids), ops->weight("model.embed_tokens.weight"));
  const Family* family = find_family(c.family);
  const int64_t end = options.last_layer < 0 ? c.n_layers : options.last_layer + 1;
  const size_t a_layer = packed.ids.size() * activation_bytes(c);
  const auto n_kept = static_cast<int64_t>(std::max(options.activation_bytes / a_layer, size_t{1}));
  for (int64_t layer = options.first_layer; layer < end; ++layer) {
    const auto block = [ops, family, layer](const Tensor& entering) {
      ops->enter(layer);
      return family->block(*ops, entering);
    };
    x = end - layer <= n_kept ? block(x) : tensor::recomputed(x, block);
    model.rest();
  }
  if (options.last_layer >= 0) return x;
  return tensor::rms_norm(x, ops->weight("model.norm.weight"), c.norm_eps);
}

}  // namespace expunge::model
