// The scoring pass: log-probabilities of given tokens after what precedes them.
#pragma once

#include <span>
#include <vector>

#include "base/run.h"
#include "model/model.h"

namespace expunge::verify {

struct Scored {
  std::vector<double> logprobs;  // natural log, one a scored token
  std::vector<bool> greedy;      // whether the token is the model's first choice there
  double mean_nll() const;       // nats a token; 0 if none
};

// Tokens ids[first..] of each item are scored; first >= 1. Items are packed, no padding; the head
// runs on the scored rows only, in pieces. Errors: first out of range; cancelled.
struct ScoreItem {
  std::vector<int32_t> ids;
  size_t first = 1;
};
base::Result<std::vector<Scored>> score(const model::Model& model, std::span<const ScoreItem> items,
                                        const base::Progress& progress = {});

// log softmax of logits [n,V] at the targets, and whether each is the largest.
Scored score_rows(const tensor::Tensor& logits, std::span<const int32_t> targets);

}  // namespace expunge::verify
