// ppl: perplexity of a text in windows (verify/perplexity.h).
#include <limits>

#include "base/files.h"
#include "verify/perplexity.h"
#include "verify/suite.h"

namespace expunge::verify {
namespace {

using Records = std::vector<WindowRecord>;

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

base::Result<Work> prepare_ppl(const SuiteValues& values) {
  PerplexityOptions options;
  options.context = TRY(values.number("context", 0, 2, kMost));
  options.stride = TRY(values.number("stride", 0, 1, kMost));
  options.limit_tokens = TRY(values.number("limit", 0, 0, kMost));
  const std::string text = TRY(base::read_file(values.data()));
  Work work;
  // A text may not grow: its last window would change.
  work.settings = {
      {"context", options.context}, {"stride", options.stride}, {"limit", options.limit_tokens}};
  work.items = {{"windows", hash_of(text)}};
  const auto pass = [options, text](const model::ChatModel& chat_model, Records done,
                                    const PassOptions<Records>& how,
                                    const base::Job& job) -> base::Result<Outcome<Records>> {
    PerplexityOptions own = options;
    own.shard = how.shard;
    own.keep = how.keep;
    Perplexity result = TRY(perplexity(chat_model, text, own, std::move(done), job));
    Figures figures = figures_of(result);
    return Outcome<Records>{std::move(result.windows), std::move(figures)};
  };
  work.run = run_on<Records>({window_records_to_json, window_records_from_json}, pass);
  return work;
}

}  // namespace

extern const Suite suite_ppl;
const Suite suite_ppl{"ppl",
                      "perplexity of a text in windows",
                      "--data: a text file",
                      "Jelinek et al. 1977; windows as in transformers' documentation",
                      {kData,
                       kLimit,
                       {"context", "N", "tokens a window (1024, or the model's)"},
                       {"stride", "N", "from window to window (the context)"}},
                      prepare_ppl};

}  // namespace expunge::verify
