// Records as JSON: our own form, and the logs of the TOFU benchmark's first program.
//
// Ours, a row of its data set per item; prob and truth_ratio are for readers of the file and follow
// from the rest, so they are not read back:
//   {"forget": {"0": {"question", "answer", "prob", "avg_loss", "n_tokens", "logprobs": [],
//                     "greedy": [], "mean": [], "variance": [], "paraphrased": {"prob", "avg_loss",
//                     ...}, "perturbed": [{...}], "truth_ratio", "generation", "rouge1_recall",
//                     "rougeL_recall", "rougeL_f1"}}}
// TOFU's (github.com/locuslab/tofu, evaluate_util.py): a section a data set, a column a number, in
// each {"0": ...} by row; [prompt, generation, answer] as generated_text.
// What comes from a file is checked; an Error names file, set, row and key.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "verify/record.h"

namespace expunge::verify {

base::Json records_to_json(const Records& records);  // lossless for finite numbers
base::Result<Records> records_from_json(const base::Json& json, std::string_view file);
base::Result<Records> records_from_tofu_log(const base::Json& json, std::string_view file);
// Either form, or an evaluation.json that holds ours; told apart by their keys.
base::Result<Records> read_records(const std::string& path);

}  // namespace expunge::verify
