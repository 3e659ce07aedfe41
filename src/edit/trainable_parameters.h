// The parameters that a fit changes: copies of whole tensors, or low-rank adapters next to them
// (LoRA, Hu et al. 2021, eq. 3).
#pragma once

#include <string>
#include <vector>

#include "edit/edit.h"
#include "model/packed.h"

namespace expunge::edit {

class TrainableParameters {
 public:
  // The named tensors themselves, in float32. Errors: kNotFound names one that the model lacks.
  static base::Result<TrainableParameters> full(const model::Model& model,
                                                std::vector<std::string> names);
  // B A added to each named matrix, scaled by alpha / rank: A uniform in ±sqrt(1/I) (PEFT's Kaiming
  // with a = sqrt 5), B zero, so that the function is unchanged at first.
  static base::Result<TrainableParameters> lora(const model::Model& model,
                                                std::vector<std::string> names, int64_t rank,
                                                double alpha, uint64_t seed);
  // Adapters that go on from a trained change, u = scale * b and s = a, with alpha = twice the
  // rank.
  static base::Result<TrainableParameters> continued(
      const model::Model& model, const std::map<std::string, LowRank>& adapters);
  // Adapters that begin at given factors a and b (FILA), with the function unchanged at first.
  static base::Result<TrainableParameters> adapters(const model::Model& model,
                                                    model::Variables variables);

  const model::Variables& variables() const { return variables_; }
  // The leaves, in the order of the variables' names; an adapter's A before its B.
  const std::vector<Tensor>& leaves() const { return leaves_; }
  uint64_t size_bytes() const;
  void clear_gradients();
  // What was learnt, relative to the model that the fit began with: dense deltas, or low-rank ones
  // of rank R (2R where the adapters did not begin at zero).
  Edit edit() const;
  // The size of edit()'s numbers.
  uint64_t edit_bytes() const;

 private:
  TrainableParameters(const model::Model& model, model::Variables variables);
  const model::Model* model_;
  model::Variables variables_;
  std::vector<Tensor> leaves_;
};

// The matrices of these roles in layer `first_layer` and later ones; a role that the architecture
// lacks has none.
std::vector<std::string> layer_matrices(const model::Model& model,
                                        std::span<const model::Role> roles,
                                        int64_t first_layer = 0);
// Every tensor of the model, its norms and embeddings included.
std::vector<std::string> all_tensors(const model::Model& model);

}  // namespace expunge::edit
