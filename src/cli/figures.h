// Evaluations side by side, as a table of their figures.
#pragma once

#include <span>

#include "cli/terminal.h"
#include "publish/html_report.h"

namespace expunge::cli {

// A table of summaries side by side; below it what the last one's figures leave out and why.
void print_figures(Terminal& terminal, std::span<const publish::ReportRun> runs);

}  // namespace expunge::cli
