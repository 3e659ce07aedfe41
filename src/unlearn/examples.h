// Question–answer sets as gradient methods take them: tokens, tokenised once.
#pragma once

#include "model/chat_model.h"
#include "text/qa_set.h"
#include "unlearn/method.h"

namespace expunge::unlearn {

// How many refusals are drawn for a forget question; one is taken an epoch.
constexpr size_t kRefusalsEach = 4;

// `system` as in ChatModel::encode_answer. Refusals are drawn from a list of our own, by the seed.
// The patient must outlive the set.
base::Result<TrainingSet> training_set(const model::ChatModel& patient,
                                       std::span<const text::QaItem> forget,
                                       std::span<const text::QaItem> retain,
                                       const std::string& system, uint64_t seed);

// The same for closed forms: the tokens at which an answer of the set is being given. Refusal rows
// are those of the refusals to the forget questions.
struct RowSets {
  std::vector<Row> forget, retain, refusal;
};
RowSets answer_rows(const TrainingSet& set);

}  // namespace expunge::unlearn
