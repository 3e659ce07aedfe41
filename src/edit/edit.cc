#include "edit/edit.h"

#include <cmath>

namespace expunge::edit {

using base::Code;

Tensor dense(const Delta& delta) {
  if (const auto* low = std::get_if<LowRank>(&delta.change)) return at::mm(low->u, low->s);
  return std::get<Dense>(delta.change).value;
}

bool Edit::is_zero() const {
  for (const Delta& delta : deltas)
    if (dense(delta).ne(0).any().item<bool>()) return false;
  return true;
}

Edit scaled(const Edit& edit, double strength) {
  Edit result = edit;
  for (Delta& delta : result.deltas) {
    if (auto* low = std::get_if<LowRank>(&delta.change))
      low->u = low->u * strength;
    else
      std::get<Dense>(delta.change).value = std::get<Dense>(delta.change).value * strength;
  }
  return result;
}

Edit sum(const Edit& a, const Edit& b) {
  Edit result = a;
  result.occupied.insert(result.occupied.end(), b.occupied.begin(), b.occupied.end());
  for (const Delta& delta : b.deltas) {
    const auto same = std::ranges::find(result.deltas, delta.tensor, &Delta::tensor);
    if (same == result.deltas.end()) {
      result.deltas.push_back(delta);
      continue;
    }
    const auto* low_a = std::get_if<LowRank>(&same->change);
    const auto* low_b = std::get_if<LowRank>(&delta.change);
    if (low_a && low_b)
      same->change = LowRank{at::cat({low_a->u, low_b->u}, 1), at::cat({low_a->s, low_b->s}, 0)};
    else
      same->change = Dense{dense(*same) + dense(delta)};
  }
  return result;
}

double relative_norm(const model::Model& model, const Edit& edit) {
  double change = 0, weight = 0;
  for (const Delta& delta : edit.deltas) {
    change += dense(delta).to(at::kDouble).square().sum().item<double>();
    weight += model.param(delta.tensor).value().to(at::kDouble).square().sum().item<double>();
  }
  return weight > 0 ? std::sqrt(change / weight) : 0;
}

base::Status validate(const model::Model& model, const Edit& edit) {
  for (const Delta& delta : edit.deltas) {
    if (!model.has(delta.tensor))
      return base::fail(Code::kConflict,
                        fmt::format("the edit names {}, which this model lacks", delta.tensor),
                        "was the edit made for another model?");
    const Tensor w = model.param(delta.tensor).value();
    at::IntArrayRef shape;
    std::vector<int64_t> product;
    bool finite = true;
    if (const auto* low = std::get_if<LowRank>(&delta.change)) {
      if (low->u.dim() != 2 || low->s.dim() != 2 || low->u.size(1) != low->s.size(0))
        return base::fail(Code::kInvalid,
                          fmt::format("factors of {} do not multiply", delta.tensor));
      product = {low->u.size(0), low->s.size(1)};
      shape = product;
      finite = tensor::all_finite(low->u) && tensor::all_finite(low->s);
    } else {
      const Tensor& value = std::get<Dense>(delta.change).value;
      shape = value.sizes();
      finite = tensor::all_finite(value);
    }
    if (w.sizes() != shape)
      return base::fail(Code::kConflict,
                        fmt::format("the change of {} is {}, the weight {}", delta.tensor,
                                    fmt::join(shape, "x"), fmt::join(w.sizes(), "x")),
                        "was the edit made for another model?");
    if (!finite)
      return base::fail(Code::kNumeric,
                        fmt::format("the change of {} holds NaN or infinity", delta.tensor));
  }
  return {};
}

base::Result<model::Model> apply(const model::Model& model, std::span<const Edit> edits) {
  for (const Edit& edit : edits) TRY(validate(model, edit));
  return tensor::guarded([&]() -> base::Result<model::Model> {
    std::map<std::string, Tensor> values;
    for (const Edit& edit : edits)
      for (const Delta& delta : edit.deltas) {
        Tensor& value = values[delta.tensor];
        if (!value.defined()) value = model.param(delta.tensor).value().clone();
        value.add_(dense(delta));
      }
    return model.with(std::move(values));
  });
}

}  // namespace expunge::edit
