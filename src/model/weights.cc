#include "model/weights.h"

#include <vector>

#include "base/hash.h"
#include "tensor/kernels/pool.h"

namespace expunge::model {

int64_t Param::numel() const {
  int64_t n = 1;
  for (const int64_t size : shape_) n *= size;
  return n;
}

Tensor Param::value() const {
  if (value_.defined()) return value_;
  if (matrix_) return tensor::dequantised(*matrix_);
  return at::addmm(adapted_->value(), adapter_.u, adapter_.s);
}

tensor::StoredMatrix Param::matrix() const {
  CHECK(!adapted_, "a matrix with an adapter has no single product");
  return matrix_ ? *matrix_ : tensor::stored(value_);
}

const std::string& Param::hash() const {
  std::call_once(hashed_, [this] {
    base::Sha256 hash;
    const auto add = [&](const Tensor& t) {
      hash.update(std::span(static_cast<const std::byte*>(t.data_ptr()), t.nbytes()));
    };
    if (in_blocks())
      tensor::for_each_piece(*matrix_, [&](int64_t, const Tensor& piece) { add(piece); });
    else
      add(value().contiguous());
    hash_ = hash.hex();
  });
  return hash_;
}

tensor::StoredMatrix Param::written_matrix() const {
  const tensor::DType type = tensor::writable_type(stored_);
  const bool whole = shape_.back() % static_cast<int64_t>(tensor::info(type).block) == 0;
  CHECK(!adapted_, "an adapter is not written");
  if (!edited() || type == tensor::DType::kF32 || !whole) return matrix();
  std::call_once(written_once_, [&] {
    auto bytes = tensor::quantised(type, value_);
    CHECK(bytes.has_value(), "an edit has values that {} cannot hold", tensor::info(type).name);
    written_ = std::move(*bytes);
  });
  return {type, std::as_bytes(std::span(written_)), shape_[0], shape_[1]};
}

Weights Weights::with(std::map<std::string, Tensor> values) const {
  Map params = params_;
  for (auto& [name, value] : values) {
    const auto found = params.find(name);
    CHECK(found != params.end(), "no tensor {}", name);
    CHECK(found->second->shape() == value.sizes(), "{}", name);
    found->second =
        std::make_shared<const Param>(value, Param::Origin::kEdit, found->second->stored_type());
  }
  return Weights(std::move(params));
}

Weights Weights::adapted(const std::map<std::string, LowRank>& adapters) const {
  Map params = params_;
  for (const auto& [name, adapter] : adapters) {
    const auto found = params.find(name);
    CHECK(found != params.end(), "no tensor {}", name);
    const std::vector<int64_t>& shape = found->second->shape();
    CHECK(shape.size() == 2 && adapter.u.size(0) == shape[0] && adapter.s.size(1) == shape[1], "{}",
          name);
    found->second = std::make_shared<const Param>(found->second, adapter);
  }
  return Weights(std::move(params));
}

const Param& Weights::at(std::string_view name) const {
  const auto found = params_.find(name);
  CHECK(found != params_.end(), "no tensor {}", name);
  return *found->second;
}

std::string Weights::hash() const {
  std::vector<const Param*> params;
  for (const auto& [name, param] : params_) params.push_back(param.get());
  tensor::kernels::parallel_for(0, static_cast<int64_t>(params.size()), 1,
                                [&](int64_t begin, int64_t end) {
                                  for (int64_t i = begin; i < end; ++i)
                                    params[static_cast<size_t>(i)]->hash();
                                });
  base::Sha256 all;
  for (const auto& [name, param] : params_) all.update(name + " " + param->hash() + "\n");
  return all.hex();
}

}  // namespace expunge::model
