// Question–answer sets as gradient methods take them: tokenised once.
#pragma once

#include "model/chat_model.h"
#include "text/qa_set.h"
#include "unlearn/method.h"

namespace expunge::unlearn {

// How many refusals are drawn for a forget question; one is taken an epoch.
constexpr size_t kRefusalsEach = 4;

// An item that a training leaves out: an answer with its question exceeds the model's context.
struct TooLong {
  size_t index = 0;  // of its set's items
  size_t tokens = 0, limit = 0;
};
struct EncodedSets {
  TrainingSet set;
  std::vector<TooLong> forget_skipped, retain_skipped;
};
// `system` as in ChatModel::encode_answer. Refusals are drawn from a list of our own, by the seed.
// Errors name the set and the item's row. The model must outlive the sets.
base::Result<EncodedSets> encode_sets(const model::ChatModel& chat_model,
                                      std::span<const text::QaItem> forget,
                                      std::span<const text::QaItem> retain,
                                      const std::string& system, uint64_t seed);
// Whether a question with its answer does not fit into the context; nothing if it does.
base::Result<std::optional<TooLong>> too_long(const model::ChatModel& chat_model,
                                              const std::string& system, const text::QaItem& item);

// The same for closed forms: the tokens at which an answer of the set is being given. Refusal rows
// are those of the refusals to the forget questions.
struct RowSets {
  std::vector<TokenSpan> forget, retain, refusal;
};
RowSets answer_rows(const TrainingSet& set);

}  // namespace expunge::unlearn
