// Evaluations as one page for a browser: a self-contained file that loads nothing from the network.
// The page with its style and script lies in data/report/; here the evaluations are checked, their
// items brought together and put into the page's JSON island, safe against markup in their texts.
#pragma once

#include <span>
#include <string>

#include "base/json.h"

namespace expunge::publish {

struct ReportRun {
  std::string label;      // "" becomes "run N"
  base::Json evaluation;  // what `expunge eval --json` writes
};

// runs[0] is the base; the others are compared with it. kInvalid if there is no run, an evaluation
// has another shape, or the runs are of different suites. What is missing is a dash on the page.
base::Result<std::string> html_report(std::span<const ReportRun> runs);

}  // namespace expunge::publish
