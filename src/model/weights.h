// The weights of a model: an immutable map of shared tensors, by checkpoint name.
//
// A change creates new Weights that share every tensor it does not name; none is modified. Copying
// copies pointers. A matrix stays as its file stores it: only what an edit changed has float32
// values of its own.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/stored_matrix.h"
#include "tensor/tensor.h"

namespace expunge::model {

using tensor::Tensor;

// A change of a matrix: u s.
struct LowRank {
  Tensor u;  // [O,R] float32
  Tensor s;  // [R,I] float32
};

class Param {
 public:
  enum class Origin { kFile, kEdit };  // kEdit: differs from the file
  // `stored`: the type that the file has it in.
  explicit Param(Tensor value, Origin origin = Origin::kFile,
                 tensor::DType stored = tensor::DType::kF32)
      : value_(value.contiguous()),
        shape_(value_.sizes().vec()),
        origin_(origin),
        stored_(stored) {}
  // `keeper` holds what the matrix's bytes lie in.
  Param(tensor::StoredMatrix matrix, std::shared_ptr<const void> keeper)
      : matrix_(matrix),
        keeper_(std::move(keeper)),
        shape_{matrix.rows, matrix.columns},
        stored_(matrix.dtype) {}

  // A matrix with a change next to it, which passes that infer add to its products: an adapter,
  // without a float32 copy of the matrix.
  Param(std::shared_ptr<const Param> matrix, LowRank adapter)
      : adapted_(std::move(matrix)),
        adapter_{adapter.u.contiguous(), adapter.s.contiguous()},
        shape_(adapted_->shape()),
        origin_(Origin::kEdit),
        stored_(adapted_->stored_) {}

  const std::vector<int64_t>& shape() const { return shape_; }  // [O,I] or [D]
  int64_t numel() const;
  bool edited() const { return origin_ == Origin::kEdit; }
  // float32. Of a matrix in blocks they are made again at each call.
  Tensor value() const;
  // As products read it; of a matrix alone, without an adapter.
  tensor::StoredMatrix matrix() const;
  // Null if there is none. What it is added to is adapted()'s matrix.
  const LowRank* adapter() const { return adapted_ ? &adapter_ : nullptr; }
  const Param& adapted() const { return adapted_ ? *adapted_ : *this; }
  // What another program reads from an exported file: an edited matrix in its file's type (or the
  // type that is written for it), made once.
  tensor::StoredMatrix written_matrix() const;
  tensor::DType stored_type() const { return stored_; }
  bool in_blocks() const { return matrix_.has_value(); }

  const std::string& hash() const;  // SHA-256 of the float32 values, computed once

 private:
  const Tensor value_;  // undefined where the file's blocks or an adapted matrix are the weights
  const std::optional<tensor::StoredMatrix> matrix_;
  const std::shared_ptr<const void> keeper_;
  const std::shared_ptr<const Param> adapted_;
  const LowRank adapter_;
  const std::vector<int64_t> shape_;
  const Origin origin_ = Origin::kFile;
  const tensor::DType stored_;
  mutable std::once_flag hashed_, written_once_;
  mutable std::string hash_;
  mutable std::string written_;
};

class Weights {
 public:
  using Map = std::map<std::string, std::shared_ptr<const Param>, std::less<>>;

  Weights() = default;
  explicit Weights(Map params) : params_(std::move(params)) {}

  // These weights with the named tensors replaced and marked as edited. CHECKs that each
  // name is known and its shape unchanged.
  Weights with(std::map<std::string, Tensor> values) const;
  // These weights with adapters next to the named matrices, by the same rules.
  Weights adapted(const std::map<std::string, LowRank>& adapters) const;

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
