// An edit is a value: which tensors change and by how much. Applied to a model it gives another
// model.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/json.h"
#include "model/model.h"

namespace expunge::edit {

using tensor::Tensor;

using model::LowRank;
struct Dense {
  Tensor value;  // [O,I] or [D] float32
};

struct Delta {
  std::string tensor;  // checkpoint name
  std::variant<LowRank, Dense> change;
};
Tensor dense(const Delta& delta);  // [O,I]: u s, or the dense value

// Neurons of a layer's MLP that an edit reserves: no other edit may write them.
struct Occupied {
  int64_t layer = 0;
  std::vector<int64_t> neurons;
  bool operator==(const Occupied&) const = default;
};

struct Edit {
  std::vector<Delta> deltas;
  base::Json provenance = base::Json::object();  // method, knobs, seed, figures of the solve
  std::vector<Occupied> occupied = {};
  bool is_zero() const;
};

// strength * edit.
Edit scaled(const Edit& edit, double strength);
// Both changes, and what both occupy; factors of the same tensor are stacked, so the rank adds up.
Edit sum(const Edit& a, const Edit& b);
// |edit| / |W| over the edited tensors (Frobenius).
double relative_norm(const model::Model& model, const Edit& edit);

// Every tensor exists in the model, shapes agree, all numbers are finite.
base::Status validate(const model::Model& model, const Edit& edit);

// One self-contained blob (safetensors, provenance in its metadata), for the journal.
base::Result<std::string> serialise(const Edit& edit);
base::Result<Edit> deserialise(std::string_view blob);
// The same for a store that keeps the provenance separately.
base::Result<Edit> deserialise(std::string_view blob, base::Json provenance);

// The model with these edits on top of those it has, in this order: another value, which shares
// every tensor that none of them names. The state of a model is a function of its file and the
// list of edits, however they were applied, bit for bit. Errors: as validate.
base::Result<model::Model> apply(const model::Model& model, std::span<const Edit> edits);
inline base::Result<model::Model> apply(const model::Model& model, const Edit& edit) {
  return apply(model, {&edit, 1});
}

}  // namespace expunge::edit
