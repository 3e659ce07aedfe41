// From a target of the plan to what the other rooms work on: rows for a method, questions for the
// gates. All queries of the unedited model that this needs are made here.
#pragma once

#include "agent/plan.h"
#include "agent/wordings.h"
#include "model/chat_model.h"
#include "repair/baseline.h"
#include "unlearn/method.h"
#include "verify/base_replies.h"

namespace expunge::repair {

struct Rows {
  std::vector<unlearn::TokenSpan>
      forget;                            // the plan's wordings, and inside the model's own replies
  std::vector<unlearn::TokenSpan> held;  // kept out of the edit, to choose it by
  std::vector<unlearn::TokenSpan> retain;  // neighbours and the subject's other questions
  tensor::Tensor retain_states;            // [n,D], their MLP inputs at the examined layer
  std::vector<int64_t> related;            // common prompts that ask about the subject
};
struct Assignment {
  Rows rows;
  verify::GateQuestions questions;
};

// `target.answers` must not be empty. Questions whose present reply reveals an answer are dropped
// from what is to be kept. `layer` is the one that will be examined.
base::Result<Assignment> assign(const model::ChatModel& chat_model, const agent::Target& target,
                                const verify::Bounds& bounds, Baseline& baseline,
                                const Baseline::Facts& known, int64_t layer,
                                const base::Job& job = {});

// Whether an answer can be recognised in a reply: not an article, a letter or the like alone.
bool tells_apart(const std::string& answer);

// The layer below which neither the method, with what it learned, nor an edit changes anything; 1
// or more.
int64_t examined_layer(const model::Arch& arch, const unlearn::PreparedPtr& prepared,
                       std::span<const edit::Edit> edits);

base::Result<std::vector<int32_t>> encode(const model::ChatModel& chat_model,
                                          const std::string& prompt,
                                          const std::string& prefill = {});
// Greedy replies to the questions under the present weights.
base::Result<std::vector<std::string>> ask(const model::ChatModel& chat_model,
                                           std::span<const verify::Question> questions,
                                           int64_t max_new_tokens, const base::Job& job = {});

// At most n of the list, evenly spread.
template <class T>
std::vector<T> spread(const std::vector<T>& all, size_t n) {
  if (all.size() <= n) return all;
  std::vector<T> some;
  for (size_t i = 0; i < n; ++i) some.push_back(all[i * all.size() / n]);
  return some;
}

}  // namespace expunge::repair
