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

  const std::vector<int64_t>& shape() const { return shape_; }  // [O,I] or [D]
  int64_t numel() const;
  bool edited() const { return origin_ == Origin::kEdit; }
  // float32. Of a matrix in blocks they are made again at each call.
  Tensor value() const { return value_.defined() ? value_ : tensor::dequantised(*matrix_); }
  // As products read it; of a matrix alone.
  tensor::StoredMatrix matrix() const { return matrix_ ? *matrix_ : tensor::stored(value_); }
  // What another program reads from an exported file: an edited matrix in its file's type (or the
  // type that is written for it), made once.
  tensor::StoredMatrix written_matrix() const;
  tensor::DType stored_type() const { return stored_; }
  bool in_blocks() const { return matrix_.has_value(); }

  const std::string& hash() const;  // SHA-256 of the float32 values, computed once

 private:
  const Tensor value_;  // undefined where the file's blocks are the weights
  const std::optional<tensor::StoredMatrix> matrix_;
  const std::shared_ptr<const void> keeper_;
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
