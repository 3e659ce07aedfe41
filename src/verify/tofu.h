// TOFU (Maini et al. 2024, arXiv 2401.06121): the suite whose records several metrics share, of a
// model or from a log.
#pragma once

#include <string>
#include <vector>

#include "verify/evaluate.h"
#include "verify/evaluation.h"
#include "verify/suite.h"

namespace expunge::verify {

// Whether the retain-only model must have been asked the same questions (same_questions.h).
enum class Compare { kSameQuestions, kAnyQuestions };

struct TofuOptions {
  std::string data = "data/tofu";                      // folder of its JSON files
  std::string forget = "forget10", retain = "retain";  // a split, or a file
  std::string holdout = {};                            // a file; "" = none
  std::vector<std::string> sets = {}, metrics = {};    // none = all
  size_t limit = 0;                                    // of each set; 0 = all
  // Of a model that never saw the forget set: its records, or where it lies; "" = none.
  std::string retain_logs = {}, retain_model = {};
  std::string retain_file = {};  // where the records of retain_model are stored; "" = nowhere
  Compare compare = Compare::kSameQuestions;
  std::string system = {};
  Parity parity = Parity::kNone;
  int64_t max_new_tokens = 200;
  bool generate = true;
};

// Reads sets and log; a model that never saw the forget set is loaded when the first model is
// evaluated. Errors: a set or metric that does not exist, a log of other questions.
base::Result<Work> tofu_work(const TofuOptions& options);

// The figures of a log, without a model. Only log, retain_logs, metrics and compare count.
struct LogOptions {
  std::string log, retain_logs = {};
  std::vector<std::string> metrics = {};
  Compare compare = Compare::kSameQuestions;
};
// Kept in `file` as an evaluation is; "" = nowhere.
base::Result<Evaluation> evaluate_log(const LogOptions& options, const std::string& file);

}  // namespace expunge::verify
