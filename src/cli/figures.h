// Evaluations side by side, as a table of their figures.
#pragma once

#include <span>

#include "cli/terminal.h"
#include "service/evaluate.h"

namespace expunge::cli {

// A table of summaries side by side; below it what the last one's figures leave out and why.
void print_figures(Terminal& terminal, std::span<const service::EvaluatedRun> runs);

}  // namespace expunge::cli
