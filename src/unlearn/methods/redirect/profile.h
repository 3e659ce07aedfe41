// What redirect learns of a model before any request; no other code reads it.
//
//  - pool: MLP inputs of one late layer at many tokens that no edit may disturb;
//  - shift: the change of the residual stream that turns an answer into "I don't know";
//  - spare neurons: those of that layer whose removal changes least.
//
// Cost: see docs/performance.md. It is learned in parts that are stored, so that it resumes.
#pragma once

#include "unlearn/preparation.h"

namespace expunge::unlearn::redirect {

struct Profile final : Prepared {
  int64_t layer = 0;
  Tensor pool;                  // [n,D]; the rows of PreparationInputs::prompts first
  Tensor constant;              // [D], with constant · x = 1 at every token (least squares)
  Tensor shift;                 // [D]
  std::vector<int64_t> spare;   // neurons of the layer, the most dispensable first
  double lesson_loss = 0;       // mean nats a target token with the shift
  double lesson_loss_base = 0;  // and without

  int64_t first_layer() const override { return layer; }
  std::string serialise() const override;
};

// The layer whose last-token state tells questions apart best: 80 % of the depth
// (docs/ablation.md).
int64_t default_layer(const model::Arch& config);

base::Result<Profile> learn_profile(const model::Model& model, const PreparationInputs& inputs,
                                    int64_t layer, uint64_t seed, const Parts& parts,
                                    const base::Job& job);
base::Result<Profile> deserialise(std::string_view bytes);

extern const Preparation kPreparation;

}  // namespace expunge::unlearn::redirect
