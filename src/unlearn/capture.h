// Activations of chosen tokens: forward passes only, the common beginning computed once, nothing
// after the last layer that is requested.
#pragma once

#include <vector>

#include "base/job.h"
#include "model/forward.h"

namespace expunge::unlearn {

using tensor::Tensor;

// Tokens of a prompt whose activations an edit changes or leaves alone.
struct TokenSpan {
  std::vector<int32_t> ids;
  int64_t position = -1;  // of the first one within ids; negative counts from the end
  int64_t count = 1;      // how many, from there on
};

// -> [sum of counts, width of the point] float32.
base::Result<Tensor> capture(const model::Model& model, std::span<const TokenSpan> rows,
                             model::Point point, int64_t layer, const base::Job& job = {});
// The same at every layer, in one pass: [layer] -> [sum of counts, width of the point] float32.
base::Result<std::vector<Tensor>> capture_layers(const model::Model& model,
                                                 std::span<const TokenSpan> rows,
                                                 model::Point point, const base::Job& job = {});

}  // namespace expunge::unlearn
