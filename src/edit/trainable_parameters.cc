#include "edit/trainable_parameters.h"

#include <cmath>
#include <random>

#include "model/role.h"

namespace expunge::edit {
namespace {

using base::Code;
using base::fail;
using base::Result;

base::Status check_names(const model::Model& model, const std::vector<std::string>& names,
                         int64_t dimensions) {
  if (names.empty()) return fail(Code::kUsage, "nothing to train: no tensor was named");
  for (const std::string& name : names) {
    if (!model.has(name)) return fail(Code::kNotFound, fmt::format("the model has no {}", name));
    if (static_cast<int64_t>(model.param(name).shape().size()) < dimensions)
      return fail(Code::kUsage,
                  fmt::format("{} is not a matrix: an adapter cannot stand beside it", name));
  }
  return {};
}

// Uniform in ±bound, the same bits on every machine.
Tensor uniform(std::mt19937_64& rng, int64_t rows, int64_t columns, double bound) {
  Tensor t = at::empty({rows, columns}, tensor::f32());
  for (float& x : std::span(t.data_ptr<float>(), static_cast<size_t>(t.numel())))
    x = static_cast<float>((static_cast<double>(rng() >> 11) * 0x1p-52 - 1) * bound);
  return t;
}

}  // namespace

TrainableParameters::TrainableParameters(const model::Model& model, model::Variables variables)
    : model_(&model), variables_(std::move(variables)) {
  for (auto& [name, v] : variables_) {
    if (!v.a.defined()) {
      tensor::train(v.weight);
      leaves_.push_back(v.weight);
      continue;
    }
    for (Tensor* factor : {&v.a, &v.b}) {
      tensor::train(*factor);
      leaves_.push_back(*factor);
    }
  }
}

Result<TrainableParameters> TrainableParameters::full(const model::Model& model,
                                                      std::vector<std::string> names) {
  TRY(check_names(model, names, 1));
  return tensor::guarded([&] {
    model::Variables variables;
    for (const std::string& name : names)
      variables[name].weight = model.param(name).value().clone();
    return TrainableParameters(model, std::move(variables));
  });
}

Result<TrainableParameters> TrainableParameters::lora(const model::Model& model,
                                                      std::vector<std::string> names, int64_t rank,
                                                      double alpha, uint64_t seed) {
  TRY(check_names(model, names, 2));
  if (rank < 1) return fail(Code::kUsage, fmt::format("a rank of {}, expected 1 or more", rank));
  return tensor::guarded([&] {
    std::mt19937_64 rng(seed);
    model::Variables variables;
    for (const std::string& name : names) {
      const Tensor w = model.param(name).value();
      const int64_t r = std::min({rank, w.size(0), w.size(1)});
      const double bound = 1 / std::sqrt(static_cast<double>(w.size(1)));
      variables[name] = {{},
                         uniform(rng, r, w.size(1), bound),
                         at::zeros({w.size(0), r}, tensor::f32()),
                         alpha / static_cast<double>(r),
                         {},
                         {}};
    }
    return TrainableParameters(model, std::move(variables));
  });
}

Result<TrainableParameters> TrainableParameters::continued(
    const model::Model& model, const std::map<std::string, LowRank>& adapters) {
  constexpr double kScale = 2;
  std::vector<std::string> names;
  for (const auto& [name, change] : adapters) names.push_back(name);
  TRY(check_names(model, names, 2));
  return tensor::guarded([&] {
    model::Variables variables;
    for (const auto& [name, change] : adapters)
      variables[name] = {{}, change.s.clone(), change.u / kScale, kScale, {}, {}};
    return TrainableParameters(model, std::move(variables));
  });
}

Result<TrainableParameters> TrainableParameters::adapters(const model::Model& model,
                                                          model::Variables variables) {
  std::vector<std::string> names;
  for (const auto& [name, v] : variables) names.push_back(name);
  TRY(check_names(model, names, 2));
  return tensor::guarded([&] {
    for (auto& [name, v] : variables) v.a0 = v.a.clone(), v.b0 = v.b.clone();
    return TrainableParameters(model, std::move(variables));
  });
}

void TrainableParameters::clear_gradients() {
  for (const Tensor& leaf : leaves_) leaf.mutable_grad().zero_();
}

uint64_t TrainableParameters::size_bytes() const {
  uint64_t bytes = 0;
  for (const Tensor& leaf : leaves_) bytes += leaf.nbytes();
  return bytes;
}

uint64_t TrainableParameters::edit_bytes() const {
  uint64_t bytes = size_bytes();
  for (const auto& [name, v] : variables_)
    if (v.a0.defined()) bytes += v.a0.nbytes() + v.b0.nbytes();
  return bytes;
}

Edit TrainableParameters::edit() const {
  const c10::NoGradGuard no_grad;
  Edit edit;
  for (const auto& [name, v] : variables_) {
    const Tensor base = model_->param(name).value();
    if (!v.a.defined()) {
      edit.deltas.push_back({name, Dense{v.weight.detach() - base}});
      continue;
    }
    LowRank low{v.b.detach() * v.scale, v.a.detach().clone()};
    // Not trained at all: exactly zero, where rounding of two products would leave a remainder.
    if (v.a0.defined() && at::equal(v.a, v.a0) && at::equal(v.b, v.b0))
      low.u.zero_();
    else if (v.a0.defined())
      low = {at::cat({low.u, v.b0 * -v.scale}, 1), at::cat({low.s, v.a0}, 0)};
    edit.deltas.push_back({name, std::move(low)});
  }
  return edit;
}

std::vector<std::string> layer_matrices(const model::Model& model,
                                        std::span<const model::Role> roles, int64_t first_layer) {
  std::vector<std::string> names;
  for (int64_t layer = first_layer; layer < model.arch().n_layers; ++layer)
    for (const model::Role role : roles)
      if (model::has(model.arch(), role))
        names.push_back(model::weight_name(model.arch(), role, layer));
  return names;
}

std::vector<std::string> all_tensors(const model::Model& model) {
  std::vector<std::string> names;
  for (const auto& [name, param] : model.weights()) names.push_back(name);
  return names;
}

}  // namespace expunge::edit
