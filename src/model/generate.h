// Generation of many prompts at once: one pass advances every running sequence, finished ones make
// room for waiting prompts, and the prompts' common beginning is computed once. No padding.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/run.h"
#include "model/forward.h"
#include "model/sampler.h"

namespace expunge::model {

enum class Stop { kEndOfTurn, kLength, kCaller };

// What the tokens that were run left at one layer: all of the prompt and of the reply but its last
// token, unless the reply ended its turn.
struct Trace {
  Tensor entering;   // [n,D], the residual stream that enters the layer
  Tensor mlp_input;  // [n,D]
};

struct Generation {
  std::vector<int32_t> ids;  // without the end-of-turn token
  Stop stop = Stop::kLength;
  Trace trace;  // where GenerateOptions asked for one
};

enum class Next { kGoOn, kStop };
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
                                               const OnToken& on_token = {});

base::Status check_prompt(const Config& config, std::span<const int32_t> ids);

// How many leading tokens all prompts share, leaving each at least one of its own.
size_t common_prefix(std::span<const std::vector<int32_t>> prompts);

}  // namespace expunge::model
