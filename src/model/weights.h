// The weights of a model: an immutable map of shared tensors, by checkpoint name.
//
// A change creates new Weights that share every tensor it does not name; none is modified. Copying
// copies pointers.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tensor/tensor.h"
#include "tensor/tensor_file.h"

namespace expunge::model {

using tensor::Tensor;

// The bytes of a matrix as its file stores them, rows in our order.
struct Blocks {
  tensor::DType dtype;
  std::span<const std::byte> bytes;
};

struct Param {
  explicit Param(Tensor value, std::optional<Blocks> blocks = {}, bool edited = false)
      : value(std::move(value)), blocks(blocks), edited(edited) {}

  const Tensor value;                  // float32 [O,I] or [D]
  const std::optional<Blocks> blocks;  // absent where the file is float32 and in an edited tensor
  const bool edited;                   // differs from the file

  const std::string& hash() const;  // SHA-256 of the float32 values, computed once

 private:
  mutable std::once_flag hashed_;
  mutable std::string hash_;
};

class Weights {
 public:
  using Map = std::map<std::string, std::shared_ptr<const Param>, std::less<>>;

  Weights() = default;
  explicit Weights(Map params) : params_(std::move(params)) {}

  // These weights with the named tensors replaced and marked as edited. CHECKs that each
  // name is known and its shape unchanged.
  Weights with(std::map<std::string, Tensor> values) const;

  const Param& at(std::string_view name) const;  // CHECKs that it exists
  bool contains(std::string_view name) const { return params_.contains(name); }
  Map::const_iterator begin() const { return params_.begin(); }
  Map::const_iterator end() const { return params_.end(); }

  // SHA-256 over (name, SHA-256 of the float32 values) of all tensors in name order.
  std::string hash() const;

 private:
  Map params_;
};

}  // namespace expunge::model
