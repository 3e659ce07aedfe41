// Many trainings of one target, compared: what a sweep's file says, and what its runs leave.
//
// OUT/<run>/ has a run's run.json and evaluation.json; a finished run is not done again. Each run
// is a separate process, so that its memory can be measured and a crash ends nothing else.
#pragma once

#include <string>
#include <vector>

#include "base/job.h"
#include "base/json.h"
#include "unlearn/method.h"

namespace expunge::service {

struct SweepRun {
  std::string label;                        // "npo lr=1e-05 seed=2"; "target"; "gold"
  const unlearn::Method* method = nullptr;  // none: a model is evaluated as it is
  unlearn::Knobs knobs = {};
  uint64_t seed = 1;
};

struct Sweep {
  std::string model, gold, data = "data/tofu", forget, retain, out, system;
  size_t limit = 0, eval_limit = 0;  // items of each set; 0: all
  int64_t max_new_tokens = 200;
  double min_utility = 0.9;    // of the target's, for the rule by which the best is chosen
  std::vector<SweepRun> runs;  // the target first, then the gold model if there is one
  std::string folder(size_t run) const;
};

// TOML: settings, then a table a method whose keys are knobs; a list is one run for each value.
// Paths are relative to the working folder. Errors name file, line and key.
base::Result<Sweep> read_sweep(const std::string& path);

// Does one run, from where it stopped; nothing if it is finished.
base::Status do_run(const Sweep& sweep, size_t run, const base::Job& job);

// {"runs": [{label, summary, seconds, peak_memory_gb, …}], "best", "rule"} of the finished runs,
// and OUT/report.html.
base::Result<base::Json> summarise(const Sweep& sweep);

}  // namespace expunge::service
