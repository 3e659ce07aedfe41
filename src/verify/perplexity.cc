#include "verify/perplexity.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "verify/place.h"
#include "verify/score.h"

namespace expunge::verify {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr int64_t kDefaultContext = 1024;
constexpr size_t kBlockTokens = 8192;  // scored in one call

// Tokens [begin, end), of which the first ones are context.
struct Window {
  size_t begin, end, n_scored;
};

struct Lengths {
  size_t context, stride;
};

Result<Lengths> lengths_of(const model::Arch& config, const PerplexityOptions& options) {
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
  return Lengths{static_cast<size_t>(context), static_cast<size_t>(stride)};
}

// Those that score a token, in order.
std::vector<Window> windows_of(size_t n_tokens, const Lengths& lengths) {
  std::vector<Window> windows;
  for (size_t begin = 0, scored = 0; scored < n_tokens; begin += lengths.stride) {
    const size_t end = std::min(begin + lengths.context, n_tokens);
    const size_t first = std::max(scored, begin + 1);
    if (first < end) windows.push_back({begin, end, end - first});
    scored = end;
  }
  return windows;
}

}  // namespace

Result<Perplexity> perplexity(const model::Model& model, std::span<const int32_t> ids,
                              const PerplexityOptions& options, std::vector<WindowRecord> done,
                              const base::Job& job) {
  const Lengths lengths = TRY(lengths_of(model.arch(), options));
  if (options.limit_tokens > 0)
    ids = ids.first(std::min(ids.size(), static_cast<size_t>(options.limit_tokens)));
  if (ids.size() < 2)
    return base::fail(Code::kInvalid,
                      fmt::format("a text of {} tokens, expected 2 or more", ids.size()));
  std::set<int64_t> known;
  for (const WindowRecord& r : done) known.insert(r.begin);
  std::vector<Window> open;
  const std::vector<Window> windows = windows_of(ids.size(), lengths);
  for (size_t i = 0; i < windows.size(); ++i)
    if (options.shard.has(i) && !known.contains(static_cast<int64_t>(windows[i].begin)))
      open.push_back(windows[i]);
  Perplexity result;
  result.windows = std::move(done);
  TRY(in_blocks(
      std::span<const Window>(open), (kBlockTokens + lengths.context - 1) / lengths.context, job,
      [&](std::span<const Window> block, size_t) -> Status {
        std::vector<ScoreItem> items;
        for (const Window& w : block) {
          const auto own = ids.subspan(w.begin, w.end - w.begin);
          items.push_back({{own.begin(), own.end()}, own.size() - w.n_scored});
        }
        const auto scores = TRY(score(model, items, {}, job.reporting({})));
        for (size_t i = 0; i < block.size(); ++i)
          result.windows.push_back(
              {static_cast<int64_t>(block[i].begin), scores[i].avg_loss, scores[i].n_tokens});
        job.report("perplexity", block.back().end, ids.size());
        return {};
      },
      [&] { return options.keep ? options.keep(result.windows) : Status(); }));
  std::ranges::sort(result.windows, {}, &WindowRecord::begin);
  double total = 0;
  for (const WindowRecord& r : result.windows) {
    total += r.avg_loss * static_cast<double>(r.n_tokens);
    result.n_tokens += r.n_tokens;
  }
  result.nll = total / static_cast<double>(result.n_tokens);
  result.ppl = std::exp(result.nll);
  return result;
}

Result<Perplexity> perplexity(const model::ChatModel& chat_model, const std::string& text,
                              const PerplexityOptions& options, std::vector<WindowRecord> done,
                              const base::Job& job) {
  const text::Encoding encoding = TRY(chat_model.tokenizer.encode(text));
  return perplexity(chat_model.model, encoding.ids, options, std::move(done), job);
}

Figures figures_of(const Perplexity& result) {
  Result<Figure> ppl = Figure(result.ppl);
  if (!std::isfinite(result.ppl))
    ppl = base::fail(Code::kNumeric, fmt::format("exp({:.6g}) is beyond float64", result.nll));
  return {
      {{"ppl", ppl}, {"nll", Figure(result.nll)}},
      {{"n_tokens", result.n_tokens}, {"n_windows", static_cast<int64_t>(result.windows.size())}}};
}

base::Json window_records_to_json(std::span<const WindowRecord> records) {
  base::Json rows = base::Json::object();
  for (const WindowRecord& r : records)
    rows[std::to_string(r.begin)] = {{"avg_loss", r.avg_loss}, {"n_tokens", r.n_tokens}};
  return {{"windows", std::move(rows)}};
}

Result<std::vector<WindowRecord>> window_records_from_json(const base::Json& json,
                                                           std::string_view file) {
  const Place place = Place{std::string(file)}.in("windows");
  std::vector<WindowRecord> records;
  TRY(is_object(json, place));
  const base::Json rows = json.value("windows", base::Json::object());
  TRY(is_object(rows, place));
  for (const auto& [key, item] : rows.items()) {
    const Place here = place.row(key);
    TRY(is_object(item, here));
    WindowRecord r;
    r.begin = TRY(row_number(key, place));
    r.avg_loss = TRY(number(*TRY(member(item, "avg_loss", here)), here.in("avg_loss")));
    r.n_tokens = TRY(count(*TRY(member(item, "n_tokens", here)), here.in("n_tokens")));
    records.push_back(r);
  }
  return records;
}

}  // namespace expunge::verify
