// A model's records over question–answer sets: every answer scored after its question, every
// question answered greedily. Metrics are computed from the records alone.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/run.h"
#include "model/chat_model.h"
#include "text/qa_set.h"
#include "verify/blocks.h"
#include "verify/record.h"

namespace expunge::verify {

// kOpenUnlearning gives that project's numbers (commit d3d7cf9) on the same weights, template and
// items. It differs where it errs: end-of-turn tokens are left out of attention because it pads
// with them (with their positions in scoring, without them in generation); what the template puts
// behind the answer is scored too, and one more end-of-turn token; the softmax's sum is float32 in
// order; texts are cleaned up as transformers' clean_up_tokenization_spaces does.
enum class Parity { kNone, kOpenUnlearning };

struct QaSet {
  std::string name;  // a key of Records
  std::vector<text::QaItem> items;
};

struct EvaluateOptions {
  std::string system;  // "" = what the template says by itself
  Parity parity = Parity::kNone;
  int64_t max_new_tokens = 200;
  bool generate = true;
  Share share = {};
  base::Progress progress = {};
  // Called after each block of items, so that what was computed outlives a Ctrl+C.
  std::function<base::Status(const Records&)> keep = {};
};

// Items whose row `done` holds already are not computed again. Seconds spent: scoring, generation.
struct Evaluated {
  Records records;
  double scoring_s = 0, generation_s = 0;
  int64_t scored_tokens = 0, generated_tokens = 0;
};
base::Result<Evaluated> evaluate(const model::ChatModel& patient, std::span<const QaSet> sets,
                                 const EvaluateOptions& options, Records done = {});

// A question with an answer as they are scored; kNone: ChatModel::encode_answer.
base::Result<model::Example> encode_answer(const model::ChatModel& patient,
                                           const std::string& system, const std::string& question,
                                           const std::string& answer, Parity parity);

// transformers' clean_up_tokenization: no blank before punctuation and contractions.
std::string cleaned_up(std::string text);

}  // namespace expunge::verify
