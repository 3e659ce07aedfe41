// What redirect knows of a model before any request: learned once, cached on disk.
//
//  - pool: MLP inputs of one late layer at many tokens that no edit may disturb;
//  - shift: the change of the residual stream that turns an answer into "I don't know";
//  - spare neurons: those of that layer whose loss changes least.
#pragma once

#include <string>
#include <vector>

#include "base/run.h"
#include "model/model.h"
#include "unlearn/capture.h"

namespace expunge::unlearn {

// Where the shift is injected and what should then be said.
struct Lesson {
  std::vector<int32_t> prompt;  // the shift acts on its last token
  std::vector<int32_t> target;
};

struct BackgroundInputs {
  std::vector<Row> pool;                    // last tokens of generic prompts
  std::vector<std::vector<int32_t>> texts;  // every token of these joins the pool
  std::vector<Lesson> lessons;
};

struct Background {
  int64_t layer = 0;
  Tensor pool;                  // [n,D]; the rows of BackgroundInputs::pool first
  Tensor constant;              // [D], with constant · x = 1 at every token (least squares)
  Tensor shift;                 // [D]
  std::vector<int64_t> spare;   // neurons of the layer, the most dispensable first
  double lesson_loss = 0;       // mean nats a target token with the shift
  double lesson_loss_base = 0;  // and without
};

// The layer whose last-token state tells questions apart best: 80 % of the depth (docs/results.md).
int64_t default_layer(const model::Config& config);

base::Result<Background> learn_background(const model::Model& model, const BackgroundInputs& inputs,
                                          int64_t layer, uint64_t seed,
                                          const base::Progress& progress = {});
// The shift at the prompts' last tokens that makes the model say the targets, norm at most 1.2 of
// the stream's.
base::Result<Tensor> learn_shift(const model::Model& model, const std::vector<Lesson>& lessons,
                                 int64_t layer, uint64_t seed, const base::Progress& progress);
std::string serialise(const Background& background);
base::Result<Background> deserialise_background(std::string_view bytes);

}  // namespace expunge::unlearn
