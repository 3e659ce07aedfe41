// A model is a value: its architecture and its weights. Copies share every tensor, and an edited
// model is another value that shares what was not edited. The user's file is mapped read-only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/arch.h"
#include "model/weights.h"
#include "tensor/activations.h"
#include "tensor/tensor_file.h"

namespace expunge::model {

class Model {
 public:
  // A GGUF file or a Hugging Face folder. Refuses missing, misshapen and non-finite tensors.
  static base::Result<Model> load(const std::string& path);
  // A model of given weights (tests, generated models).
  static base::Result<Model> from_weights(Arch arch, std::map<std::string, Tensor> weights);

  const Arch& arch() const { return source_->arch; }
  const Weights& weights() const { return weights_; }
  const Param& param(std::string_view name) const { return weights_.at(name); }
  // CHECKs that the architecture has it. Layer -1: outside the layers.
  const Param& param(Role role, int64_t layer = -1) const {
    return param(weight_name(arch(), role, layer));
  }
  const Param& bias(Role role, int64_t layer = -1) const {
    return param(bias_name(arch(), role, layer));
  }
  bool has(std::string_view name) const { return weights_.contains(name); }
  // Null for a model of given weights.
  const std::shared_ptr<const tensor::TensorFile>& file() const { return source_->file; }

  // This model with the named tensors replaced; see Weights::with.
  Model with(std::map<std::string, Tensor> values) const;
  // This model with adapters next to its matrices; for passes that infer with float activations.
  Model adapted(const std::map<std::string, LowRank>& adapters) const {
    return Model(source_, weights_.adapted(adapters));
  }
  // The same weights with what the tokenizer knows: Arch::unspoken, and the ends of a line if an
  // answer is one line.
  Model speaking(const std::function<bool(int32_t)>& is_token,
                 std::vector<int32_t> line_ends) const;
  // The same weights, whose replies do not end with a line.
  Model writing_text() const;
  // The same weights, in passes that infer computed with activations rounded like this. With kQ8 an
  // edited matrix counts as what an export writes for it.
  Model computing(tensor::Activations activations) const;
  tensor::Activations activations() const { return source_->activations; }
  // The model as it was loaded, without any edit.
  Model base() const { return Model(source_, source_->weights); }
  std::vector<std::string> edited() const;  // names of the tensors that differ from the file

  std::string weights_hash() const { return weights_.hash(); }
  // SHA-256 of the model's file or files; of a model of given weights the hash of those.
  base::Result<std::string> file_hash() const;
  // What the unedited model's answers follow from, as a key: its file and its activations.
  base::Result<std::string> answer_key() const;
  size_t weight_bytes() const;  // float32 values of all tensors

 private:
  struct Source {
    Arch arch;
    std::shared_ptr<const tensor::TensorFile> file;
    Weights weights;
    tensor::Activations activations = tensor::Activations::kFloat;
  };
  Model(std::shared_ptr<const Source> source, Weights weights)
      : source_(std::move(source)), weights_(std::move(weights)) {}
  static base::Result<std::shared_ptr<const Param>> read_param(const Source& source,
                                                               const std::string& name,
                                                               const std::vector<int64_t>& shape);

  std::shared_ptr<const Source> source_;
  Weights weights_;
};

}  // namespace expunge::model
