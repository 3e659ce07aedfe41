// Many trainings of one target, compared: what a sweep's file says, and what its jobs leave.
//
// OUT/<job>/ holds a job's run.json and evaluation.json; a job with both finished is not done
// again. Each job is a process of its own, so that its memory can be told and a crash is its alone.
#pragma once

#include <string>
#include <vector>

#include "app/command.h"
#include "app/terminal.h"
#include "unlearn/method.h"

namespace expunge::app {

struct Job {
  std::string label;                        // "npo lr=1e-05 seed=2"; "target"; "gold"
  const unlearn::Method* method = nullptr;  // none: a model is evaluated as it is
  unlearn::Knobs knobs = {};
  uint64_t seed = 1;
};

struct Sweep {
  std::string model, gold, data = "data/tofu", forget, retain, out, system;
  size_t limit = 0, eval_limit = 0;  // items of each set; 0: all
  int64_t max_new_tokens = 200;
  double min_utility = 0.9;  // of the target's, for the rule by which the best is chosen
  std::vector<Job> jobs;     // the target first, then the gold model if there is one
  std::string folder(size_t job) const;
};

// TOML: settings, then a table a method whose keys are knobs; a list is a value each. Paths are
// relative to the working folder. Errors name the key.
base::Result<Sweep> read_sweep(const std::string& path);

// Does one job, going on where it stopped; nothing if it is done.
base::Status run_job(const Sweep& sweep, size_t job, Context& context);

// {"runs": [{label, summary, seconds, peak_memory_gb, …}], "best", "rule"} of the jobs that are
// done, and OUT/report.html.
base::Result<base::Json> summarise(const Sweep& sweep);
void print_summary(Terminal& terminal, const base::Json& summary);

}  // namespace expunge::app
