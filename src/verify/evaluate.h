// A model's records over question–answer sets: every answer scored after its question, every
// question answered greedily. Metrics are computed from the records alone.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/job.h"
#include "model/chat_model.h"
#include "text/qa_set.h"
#include "verify/blocks.h"
#include "verify/record.h"
#include "verify/skipped.h"

namespace expunge::verify {

// kOpenUnlearning gives that project's numbers (commit d3d7cf9) on the same weights, template and
// items. Its errors, reproduced: end-of-turn tokens are left out of attention because it pads
// with them (with their positions in scoring, without them in generation); what the template puts
// after the answer is scored too, and one more end-of-turn token; the softmax's sum is float32 in
// order; texts are cleaned up as transformers' clean_up_tokenization_spaces does.
enum class Parity { kNone, kOpenUnlearning };

struct QaSet {
  std::string name;  // a key of QaRecords
  std::vector<text::QaItem> items;
  std::string file = {};  // where they were read, for messages
};

struct EvaluateOptions {
  std::string system;  // "" = the template's own default
  Parity parity = Parity::kNone;
  int64_t max_new_tokens = 200;
  bool generate = true;
  Shard shard = {};
  // Called after each block of items, so that what was computed survives a Ctrl+C.
  std::function<base::Status(const QaRecords&)> keep = {};
};

struct Evaluated {
  QaRecords records;
  std::vector<Skipped> skipped;  // items with an answer that with its question exceeds the context
  double scoring_s = 0, generation_s = 0;
  int64_t scored_tokens = 0, generated_tokens = 0;
};
// Items whose row `done` already contains are not computed again. Errors name set and row.
base::Result<Evaluated> evaluate(const model::ChatModel& chat_model, std::span<const QaSet> sets,
                                 const EvaluateOptions& options, QaRecords done = {},
                                 const base::Job& job = {});

// A question with an answer as they are scored; kNone: ChatModel::encode_answer.
base::Result<model::Example> encode_answer(const model::ChatModel& chat_model,
                                           const std::string& system, const std::string& question,
                                           const std::string& answer, Parity parity);

// transformers' clean_up_tokenization: no blank before punctuation and contractions.
std::string cleaned_up(std::string text);

}  // namespace expunge::verify
