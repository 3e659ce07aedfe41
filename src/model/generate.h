// Generation of many prompts at once: a convenience on top of Scheduler and prefix plan. The
// prompts' common beginning is computed once, finished ones make room for waiting ones.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/job.h"
#include "model/scheduler.h"

namespace expunge::model {

// Called after each new token of prompt `index`; `ids` are the tokens generated so far.
using OnToken = std::function<Next(size_t index, std::span<const int32_t> ids)>;

struct GenerateOptions {
  int64_t max_new_tokens = 256;
  size_t max_batch = 64;    // sequences that run at once
  size_t max_rows = 1024;   // tokens in one pass
  int64_t trace_layer = 0;  // 0: no trace
  Sampling sampling;        // each prompt has its own stream: seed + index
};

// Errors: a prompt is empty, has an id outside the vocabulary or exceeds the context; cancelled.
base::Result<std::vector<Generation>> generate(const Model& model,
                                               std::span<const std::vector<int32_t>> prompts,
                                               const GenerateOptions& options,
                                               const base::Job& job = {},
                                               const OnToken& on_token = {});

// Runs requests until all have left -> their results in order; the first error ends all of them.
// Sets the requests' on_done.
base::Result<std::vector<Generation>> run_all(std::vector<Request> requests,
                                              const Scheduler::Limits& limits);

}  // namespace expunge::model
