// One evaluation of one model on question–answer sets, kept in a folder as it goes.
//
// OUT/evaluation.json holds settings, records and figures; it is written after every block, and an
// evaluation with the same settings goes on where it stands.
#pragma once

#include "app/terminal.h"
#include "verify/evaluate.h"
#include "verify/metric.h"

namespace expunge::app {

struct EvaluationRun {
  std::string label;             // of the model, as the user gave it
  std::optional<int64_t> entry;  // of the journal; none = the file, or what was given
  std::string file;              // evaluation.json of this run; "" = kept in memory only
  std::vector<verify::QaSet> sets;
  verify::EvaluateOptions options;
  std::vector<std::string> metrics;  // keys to give; empty = all that can be computed
};

// {suite, model, entry, parity, weights_hash, expunge, settings, summary, absent, seconds, tokens,
//  records}. `reference` is of a model that never saw the forget set.
base::Result<base::Json> run_evaluation(const model::Patient& patient, EvaluationRun run,
                                        std::optional<verify::Records> reference);
// The summary and absent parts alone, of records from anywhere.
base::Result<base::Json> figures_of(verify::Evaluation evaluation,
                                    const std::vector<std::string>& metrics);
// A table of summaries side by side, and how many figures are absent.
void print_figures(Terminal& terminal, const std::vector<std::pair<std::string, base::Json>>& runs);

}  // namespace expunge::app
