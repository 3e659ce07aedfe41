// Records as JSON: our own form, and the logs of two other programs.
//
// Ours, a row of its data set per item; prob and truth_ratio are for readers of the file and follow
// from the rest, so they are not read back:
//   {"forget": {"0": {"question", "answer", "prob", "avg_loss", "n_tokens", "logprobs": [],
//                     "greedy": [], "mean": [], "variance": [], "paraphrased": {"prob", "avg_loss",
//                     ...}, "perturbed": [{...}], "truth_ratio", "generation", "rouge1_recall",
//                     "rougeL_recall", "rougeL_f1"}}}
// TOFU's (github.com/locuslab/tofu, evaluate_util.py): a section a data set, a column a number, in
// each {"0": ...} by row; [prompt, generation, answer] as generated_text.
// open-unlearning's TOFU_EVAL.json: see open_unlearning_log.cc.
// What comes from a file is checked; an Error names file, set, row and key.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "verify/record.h"
#include "verify/skipped.h"

namespace expunge::verify {

base::Json records_to_json(const QaRecords& records);  // lossless for finite numbers
base::Result<QaRecords> records_from_json(const base::Json& json, std::string_view file);
base::Result<QaRecords> records_from_tofu_log(const base::Json& json, std::string_view file);
bool is_open_unlearning_log(const base::Json& json);
base::Result<QaRecords> records_from_open_unlearning_log(const base::Json& json,
                                                         std::string_view file);

struct EvalLog {
  QaRecords records;
  std::vector<Skipped> skipped;  // known only of our own evaluations
};
// Any of these forms, or an evaluation.json with ours; recognised by their keys.
base::Result<EvalLog> read_log(const std::string& path);

}  // namespace expunge::verify
