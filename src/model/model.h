// A loaded model: configuration, weights by checkpoint name, and the hash that identifies them.
//
// Weights are float32. Where the file holds quantised blocks, a parameter also keeps a view of them
// for one-row products (decode), valid as long as the parameter is not edited. Only
// edit::ScopedEdit and Model::commit write weights; the user's file is mapped read-only and never
// written.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/config.h"
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
  Tensor value;                  // float32 [O,I] or [D]
  std::optional<Blocks> blocks;  // absent when the file is float32 or the parameter was edited
  bool changed = false;          // differs from the file
};

class Model {
 public:
  // A GGUF file or a Hugging Face folder. Refuses missing, misshapen and non-finite tensors.
  static base::Result<std::shared_ptr<Model>> load(const std::string& path);
  // A model of given weights (tests, generated models).
  static base::Result<std::shared_ptr<Model>> from_weights(Config config,
                                                           std::map<std::string, Tensor> weights);

  const Config& config() const { return config_; }
  const Param& param(std::string_view name) const;  // CHECKs that it exists
  bool has(std::string_view name) const { return params_.contains(std::string(name)); }
  const std::map<std::string, Param>& params() const { return params_; }
  const std::shared_ptr<const tensor::TensorFile>& file() const { return file_; }

  // Changes a weight in memory; shape must be the old one. Callers: edit::ScopedEdit, commit.
  void set_weight(std::string_view name, Tensor value);
  // Puts back a parameter taken by param() before; it counts as changed if the tensor still is.
  void set_param(std::string_view name, Param param);
  // The weight as loaded from the file, whatever has been set since.
  base::Result<Tensor> base_weight(std::string_view name) const;
  // Puts back the loaded weight, its blocks included; bit for bit.
  base::Status restore(std::string_view name);
  std::vector<std::string> changed() const;  // names that differ from the file

  // Weights into nameless files of `folder`, so that those at rest take no memory: for one who will
  // seldom read them. Errors: kIo.
  base::Status park(const std::string& folder);
  void rest() const;  // gives the memory of parked weights back until they are read again

  // SHA-256 over (name, SHA-256 of the float32 values) of all tensors in name order. Tensors that
  // were not written since the last call are not hashed again.
  std::string weights_hash() const;
  // SHA-256 of the model's file or files.
  base::Result<std::string> file_hash() const;
  size_t weight_bytes() const;  // float32 values of all tensors

 private:
  Model() = default;
  base::Status load_param(const std::string& name, const std::vector<int64_t>& shape);
  base::Result<Param> read_param(std::string_view name) const;

  Config config_;
  std::map<std::string, Param> params_;
  std::shared_ptr<const tensor::TensorFile> file_;
  std::map<std::string, Tensor> generated_;                         // base weights of from_weights
  mutable std::map<std::string, std::vector<std::byte>> permuted_;  // blocks with rows reordered
  mutable std::map<std::string, std::string> hashes_;               // SHA-256 by tensor name
  std::vector<std::shared_ptr<const base::MappedFile>> parked_;
};

}  // namespace expunge::model
