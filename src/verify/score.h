// The scoring pass: log-probabilities of given tokens after what precedes them.
#pragma once

#include <span>
#include <vector>

#include "base/job.h"
#include "model/model.h"
#include "tensor/kernels/softmax_stats.h"
#include "verify/record.h"

namespace expunge::verify {

// Tokens ids[first..] of each item are scored; first >= 1.
struct ScoreItem {
  std::vector<int32_t> ids;
  size_t first = 1;
};
struct ScoreOptions {
  int32_t hidden_id = -1;  // see model::Chunk: for parity with masks that leave a token out
  tensor::kernels::ExpSum exp_sum = tensor::kernels::ExpSum::kAccurate;
};
// Items are packed without padding; a beginning that several share is computed once (they are
// sorted, so that each follows the one it has most in common with); the head runs on the scored
// rows only, in pieces. Errors: first out of range; a loss that is not finite; cancelled.
base::Result<std::vector<AnswerScore>> score(const model::Model& model,
                                             std::span<const ScoreItem> items,
                                             const ScoreOptions& options = {},
                                             const base::Job& job = {});

// The scores of targets [n] under logits [n,V].
AnswerScore score_rows(const tensor::Tensor& logits, std::span<const int32_t> targets);

}  // namespace expunge::verify
