#include "verify/perplexity.h"

#include <algorithm>
#include <cmath>

#include "verify/score.h"

namespace expunge::verify {
namespace {

using base::Code;
using base::Result;

constexpr int64_t kDefaultContext = 1024;
constexpr size_t kBlockTokens = 8192;  // scored in one call, of which the log-probs are kept

struct Windows {
  size_t context, stride;
};

Result<Windows> windows_of(const model::Config& config, const PerplexityOptions& options) {
  const int64_t most = config.context_length - 1;
  const int64_t context = options.context == 0 ? std::min(kDefaultContext, most) : options.context;
  const int64_t stride = options.stride == 0 ? context : options.stride;
  if (context < 2 || context > most)
    return base::fail(Code::kUsage,
                      fmt::format("a window of {} tokens, expected 2 to {}", context, most),
                      "the model's context bounds it");
  if (stride < 1 || stride > context)
    return base::fail(Code::kUsage,
                      fmt::format("a stride of {} tokens, expected 1 to {}", stride, context));
  if (options.limit_tokens < 0)
    return base::fail(Code::kUsage, fmt::format("a limit of {} tokens, expected 0 or more",
                                                options.limit_tokens));
  return Windows{static_cast<size_t>(context), static_cast<size_t>(stride)};
}

}  // namespace

Result<Perplexity> perplexity(const model::Model& model, std::span<const int32_t> ids,
                              const PerplexityOptions& options) {
  const Windows windows = TRY(windows_of(model.config(), options));
  if (options.limit_tokens > 0)
    ids = ids.first(std::min(ids.size(), static_cast<size_t>(options.limit_tokens)));
  if (ids.size() < 2)
    return base::fail(Code::kInvalid,
                      fmt::format("a text of {} tokens, expected 2 or more", ids.size()));
  Perplexity result;
  double total = 0;
  std::vector<ScoreItem> block;
  for (size_t begin = 0, scored = 0; scored < ids.size(); begin += windows.stride) {
    const size_t end = std::min(begin + windows.context, ids.size());
    const size_t first = std::max<size_t>(scored > begin ? scored - begin : 0, 1);
    const auto own = ids.subspan(begin, end - begin);
    if (first < own.size()) block.push_back({{own.begin(), own.end()}, first});
    scored = end;
    if (block.size() * windows.context < kBlockTokens && scored < ids.size()) continue;
    for (const AnswerScore& s : TRY(score(model, block))) {
      for (const double logprob : s.logprobs) total -= logprob;
      result.n_tokens += s.n_tokens;
    }
    result.n_windows += static_cast<int64_t>(block.size());
    block.clear();
    if (options.progress) options.progress("perplexity", scored, ids.size());
  }
  result.nll = total / static_cast<double>(result.n_tokens);
  result.ppl = std::exp(result.nll);
  return result;
}

Result<Perplexity> perplexity(const model::Patient& patient, const std::string& text,
                              const PerplexityOptions& options) {
  const text::Encoding encoding = TRY(patient.tokenizer.encode(text));
  return perplexity(*patient.model, encoding.ids, options);
}

base::Json perplexity_to_json(const Perplexity& result) {
  base::Json json = {{"summary", base::Json::object()}};
  if (std::isfinite(result.ppl))
    json["summary"]["ppl"] = result.ppl;
  else
    json["absent"]["ppl"] = fmt::format("exp({:.6g}) is beyond float64", result.nll);
  json["summary"]["nll"] = result.nll;
  json["summary"]["n_tokens"] = result.n_tokens;
  json["summary"]["n_windows"] = result.n_windows;
  json["records"] = base::Json::object();
  return json;
}

}  // namespace expunge::verify
