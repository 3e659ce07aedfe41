#include "model/generate.h"

#include <algorithm>

#include "model/prefix_plan.h"

namespace expunge::model {
namespace {

using base::Code;
using base::Result;
using Prompts = std::span<const std::vector<int32_t>>;

constexpr size_t kWorthSharing = 8;  // tokens

// Room for all that the running sequences may need; pages that are not reached are never
// touched.
void reserve(Runner& runner, Prompts prompts, size_t n_begun, const GenerateOptions& options) {
  size_t longest = 0;
  for (const auto& p : prompts) longest = std::max(longest, p.size());
  const auto each = std::min(static_cast<int64_t>(longest) + options.max_new_tokens,
                             runner.model().arch().context_length) -
                    static_cast<int64_t>(n_begun);
  const size_t n = std::min(options.max_batch, prompts.size());
  constexpr size_t kMost = 16384;  // beyond, it grows on demand
  runner.pool().reserve(std::min(kMost, n_begun + n * static_cast<size_t>(each)));
}

}  // namespace

Result<std::vector<Generation>> run_all(std::vector<Request> requests,
                                        const Scheduler::Limits& limits) {
  std::vector<Generation> results(requests.size());
  Scheduler scheduler(limits);
  base::Status status;
  for (size_t i = 0; i < requests.size(); ++i) {
    requests[i].on_done = [&results, &status, i](Result<Generation> result) {
      if (result)
        results[i] = std::move(*result);
      else if (status)
        status = tl::unexpected(std::move(result.error()));
    };
    TRY(scheduler.submit(std::move(requests[i])));
  }
  while (status && scheduler.step()) {
  }
  TRY(std::move(status));
  return results;
}

Result<std::vector<Generation>> generate(const Model& model, Prompts prompts,
                                         const GenerateOptions& options, const base::Job& job,
                                         const OnToken& on_token) {
  TRY(validate(options.sampling));
  CHECK(options.trace_layer >= 0 && options.trace_layer < model.arch().n_layers);
  if (options.max_new_tokens < 1 || options.max_batch < 1)
    return base::fail(Code::kUsage,
                      fmt::format("{} new tokens in batches of {}, expected 1 or more",
                                  options.max_new_tokens, options.max_batch));
  for (size_t i = 0; i < prompts.size(); ++i)
    TRY_AT(fmt::format("prompt {}", i + 1), check_prompt(model.arch(), prompts[i]));
  if (prompts.empty()) return std::vector<Generation>();
  return tensor::guarded([&]() -> Result<std::vector<Generation>> {
    TRY(job.check());
    const auto runner = std::make_shared<Runner>(model);
    std::vector<PlanInput> inputs;
    for (const auto& p : prompts) inputs.push_back({p, p.size() - 1});
    const PrefixPlan plan =
        plan_prefixes(inputs, {.sharing = Sharing::kBeginning, .worth_sharing = kWorthSharing});
    PlannedRun beginning(*runner, inputs, plan);
    Trace begun;
    beginning.begin(options.trace_layer > 0 ? tracing(options.trace_layer, begun) : Hook());
    reserve(*runner, prompts, plan.n_begun, options);
    std::vector<Request> requests;
    for (size_t i = 0; i < prompts.size(); ++i) {
      Request& r = requests.emplace_back();
      r.runner = runner;
      r.ids = prompts[i];
      r.sequence = KvPool::fork(beginning.beginning());
      r.max_new_tokens = options.max_new_tokens;
      r.sampling = options.sampling;
      r.sampling.seed += i;
      r.trace_layer = options.trace_layer;
      r.begun = begun;
      r.job = job;
      if (on_token)
        r.on_token = [&on_token, i](std::span<const int32_t> ids) { return on_token(i, ids); };
    }
    return run_all(std::move(requests), {options.max_batch, options.max_rows});
  });
}

}  // namespace expunge::model
