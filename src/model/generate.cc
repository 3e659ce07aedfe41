#include "model/generate.h"

#include <algorithm>
#include <cmath>
#include <deque>

namespace expunge::model {
namespace {

using base::Code;

struct Running {
  size_t index;  // of the prompt
  Sequence sequence;
  std::span<const int32_t> fresh;  // tokens not yet in the pool
  Sampler sampler;
  std::vector<int32_t> seen;
  std::vector<Tensor> entering, mlp_input;  // pieces of the trace
};

class Batch {
 public:
  Batch(const Model& model, std::span<const std::vector<int32_t>> prompts,
        const GenerateOptions& options, const OnToken& on_token)
      : model_(model),
        prompts_(prompts),
        options_(options),
        on_token_(on_token),
        runner_(model),
        results_(prompts.size()) {}

  base::Result<std::vector<Generation>> run() {
    const size_t shared = common_prefix(prompts_);
    constexpr size_t kWorthSharing = 8;
    if (prompts_.size() > 1 && shared >= kWorthSharing) {
      const Chunk chunk{&prefix_, std::span(prompts_[0]).first(shared)};
      runner_.forward({&chunk, 1}, hook());
      prefix_trace_ = pass_;
    }
    reserve();
    while (next_ < prompts_.size() || !running_.empty()) {
      TRY(base::check_cancel());
      admit();
      TRY(step());
    }
    return std::move(results_);
  }

 private:
  // What all that run at once may come to hold; pages that are not reached are never touched.
  void reserve() {
    size_t longest = 0;
    for (const auto& p : prompts_) longest = std::max(longest, p.size());
    const auto each = std::min(static_cast<int64_t>(longest) + options_.max_new_tokens,
                               model_.config().context_length) -
                      static_cast<int64_t>(prefix_.length());
    const size_t n = std::min(options_.max_batch, prompts_.size());
    constexpr size_t kMost = 16384;  // beyond, it grows as it must
    runner_.pool().reserve(std::min(kMost, prefix_.length() + n * static_cast<size_t>(each)));
  }

  void admit() {
    size_t rows = running_.size();
    while (next_ < prompts_.size() && running_.size() < options_.max_batch) {
      const std::span<const int32_t> own = std::span(prompts_[next_]).subspan(prefix_.length());
      if (rows > 0 && rows + own.size() > options_.max_rows) return;
      rows += own.size();
      Sampling sampling = options_.sampling;
      sampling.seed += next_;
      running_.push_back(
          {next_, KvPool::fork(prefix_), own, Sampler(sampling), prompts_[next_], {}, {}});
      if (prefix_trace_.entering.defined()) record(running_.back(), prefix_trace_);
      ++next_;
    }
  }

  Hook hook() {
    const int64_t layer = options_.trace_layer;
    if (layer <= 0) return {};
    return [this, layer](Point point, int64_t at, Tensor value) {
      if (point == Point::kBlockOutput && at == layer - 1) pass_.entering = value;
      if (point == Point::kMlpInput && at == layer) pass_.mlp_input = value;
      return value;
    };
  }

  static void record(Running& r, const Trace& piece) {
    r.entering.push_back(piece.entering);
    r.mlp_input.push_back(piece.mlp_input);
  }

  base::Status step() {
    std::vector<Chunk> chunks;
    std::vector<int64_t> last_rows;
    int64_t rows = 0;
    for (Running& r : running_) {
      chunks.push_back({&r.sequence, r.fresh});
      last_rows.push_back((rows += static_cast<int64_t>(r.fresh.size())) - 1);
    }
    Tensor hidden = runner_.forward(chunks, hook());  // [rows,D]
    if (options_.trace_layer > 0) {
      int64_t row = 0;
      for (Running& r : running_) {
        const auto n = static_cast<int64_t>(r.fresh.size());
        record(r, {pass_.entering.narrow(0, row, n), pass_.mlp_input.narrow(0, row, n)});
        row += n;
      }
    }
    if (rows > static_cast<int64_t>(last_rows.size()))
      hidden = hidden.index_select(
          0, at::tensor(at::ArrayRef<int64_t>(last_rows), tensor::i64()));  // [B,D]
    const Tensor logits = runner_.logits(hidden);                           // [B,V]
    const auto vocab = static_cast<size_t>(logits.size(1));
    for (size_t i = 0; i < running_.size(); ++i)
      TRY(advance(running_[i], {logits.data_ptr<float>() + i * vocab, vocab}));
    std::erase_if(running_, [](const Running& r) { return r.fresh.empty(); });
    return {};
  }

  // Chooses the sequence's next token; an empty `fresh` afterwards means that it has finished.
  base::Status advance(Running& r, std::span<const float> logits) {
    Generation& result = results_[r.index];
    const int32_t id = r.sampler.next(logits, r.seen);
    if (const float value = logits[static_cast<size_t>(id)]; !std::isfinite(value))
      return base::fail(Code::kNumeric, fmt::format("a logit is {}", value),
                        "the weights or an edit are damaged");
    const auto& ends = model_.config().end_ids;
    std::optional<Stop> stop;
    if (std::ranges::find(ends, id) != ends.end()) {
      stop = Stop::kEndOfTurn;
    } else {
      result.ids.push_back(id);
      r.seen.push_back(id);
      if (on_token_ && on_token_(r.index, result.ids) == Next::kStop)
        stop = Stop::kCaller;
      else if (static_cast<int64_t>(result.ids.size()) >= options_.max_new_tokens ||
               static_cast<int64_t>(r.seen.size()) >= model_.config().context_length)
        stop = Stop::kLength;
    }
    if (stop) {
      result.stop = *stop;
      if (!r.entering.empty()) result.trace = {at::cat(r.entering), at::cat(r.mlp_input)};
      runner_.pool().truncate(r.sequence, r.sequence.n_shared);
      r.fresh = {};
    } else {
      r.fresh = std::span(r.seen).last(1);
    }
    return {};
  }

  const Model& model_;
  std::span<const std::vector<int32_t>> prompts_;
  const GenerateOptions& options_;
  const OnToken& on_token_;
  Runner runner_;
  Sequence prefix_;
  Trace pass_, prefix_trace_;  // of the latest pass; of the common beginning
  std::deque<Running> running_;
  size_t next_ = 0;
  std::vector<Generation> results_;
};

}  // namespace

base::Status check_prompt(const Config& config, std::span<const int32_t> ids) {
  if (ids.empty()) return base::fail(Code::kInvalid, "the prompt is empty", "give some text");
  if (static_cast<int64_t>(ids.size()) >= config.context_length)
    return base::fail(Code::kInvalid,
                      fmt::format("the prompt has {} tokens, the model's context holds {}",
                                  ids.size(), config.context_length),
                      "shorten the prompt or start a new conversation");
  for (const int32_t id : ids)
    if (id < 0 || id >= config.vocab_size)
      return base::fail(Code::kInvalid, fmt::format("token id {} is outside the vocabulary of {}",
                                                    id, config.vocab_size));
  return {};
}

size_t common_prefix(std::span<const std::vector<int32_t>> prompts) {
  if (prompts.empty()) return 0;
  size_t n = prompts[0].size() - 1;
  for (const auto& p : prompts) {
    n = std::min(n, p.size() - 1);
    n = static_cast<size_t>(
        std::mismatch(p.begin(), p.begin() + static_cast<std::ptrdiff_t>(n), prompts[0].begin())
            .first -
        p.begin());
  }
  return n;
}

base::Result<std::vector<Generation>> generate(const Model& model,
                                               std::span<const std::vector<int32_t>> prompts,
                                               const GenerateOptions& options,
                                               const OnToken& on_token) {
  TRY(validate(options.sampling));
  CHECK(options.trace_layer >= 0 && options.trace_layer < model.config().n_layers);
  if (options.max_new_tokens < 1 || options.max_batch < 1)
    return base::fail(Code::kUsage,
                      fmt::format("{} new tokens in batches of {}, expected 1 or more",
                                  options.max_new_tokens, options.max_batch));
  for (size_t i = 0; i < prompts.size(); ++i)
    TRY_AT(fmt::format("prompt {}", i + 1), check_prompt(model.config(), prompts[i]));
  return tensor::guarded([&] { return Batch(model, prompts, options, on_token).run(); });
}

}  // namespace expunge::model
