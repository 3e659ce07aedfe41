#include "verify/score.h"

#include "model/forward.h"
#include "model/generate.h"

namespace expunge::verify {

using tensor::Tensor;

double Scored::mean_nll() const {
  double total = 0;
  for (const double v : logprobs) total -= v;
  return logprobs.empty() ? 0 : total / static_cast<double>(logprobs.size());
}

Scored score_rows(const Tensor& logits, std::span<const int32_t> targets) {
  const int64_t vocab = logits.size(1);
  CHECK(logits.size(0) == static_cast<int64_t>(targets.size()));
  const Tensor norm = logits.logsumexp({1}), best = logits.argmax(1);
  const float* values = logits.data_ptr<float>();
  Scored s;
  for (size_t i = 0; i < targets.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    s.logprobs.push_back(static_cast<double>(values[row * vocab + targets[i]]) -
                         norm[row].item<double>());
    s.greedy.push_back(best[row].item<int64_t>() == targets[i]);
  }
  return s;
}

base::Result<std::vector<Scored>> score(const model::Model& model, std::span<const ScoreItem> items,
                                        const base::Progress& progress) {
  for (const ScoreItem& item : items) {
    TRY(model::check_prompt(model.config(), item.ids));
    if (item.first < 1 || item.first > item.ids.size())
      return base::fail(base::Code::kInvalid, "scoring needs a token before the first scored one");
  }
  return tensor::guarded([&]() -> base::Result<std::vector<Scored>> {
    constexpr size_t kPassTokens = 1024, kHeadRows = 128;
    std::vector<Scored> results(items.size());
    model::Runner runner(model);
    for (size_t next = 0; next < items.size();) {
      TRY(base::check_cancel());
      if (progress) progress("scoring", next, items.size());
      const size_t begin = next;
      std::vector<model::Sequence> sequences(items.size() - begin);
      std::vector<model::Chunk> chunks;
      std::vector<int64_t> index;
      std::vector<int32_t> targets;
      size_t tokens = 0;
      for (; next < items.size() && (tokens == 0 || tokens + items[next].ids.size() <= kPassTokens);
           ++next) {
        const auto& ids = items[next].ids;
        chunks.push_back({&sequences[next - begin], ids});
        for (size_t t = items[next].first; t < ids.size(); ++t) {
          index.push_back(static_cast<int64_t>(tokens + t - 1));
          targets.push_back(ids[t]);
        }
        tokens += ids.size();
      }
      const Tensor hidden = runner.forward(chunks);
      std::vector<double> logprobs;
      std::vector<bool> greedy;
      for (size_t at = 0; at < index.size(); at += kHeadRows) {
        const size_t n = std::min(kHeadRows, index.size() - at);
        const Tensor rows = hidden.index_select(
            0, at::tensor(at::ArrayRef<int64_t>(index.data() + at, n), tensor::i64()));
        const Scored part = score_rows(runner.logits(rows), std::span(targets).subspan(at, n));
        logprobs.insert(logprobs.end(), part.logprobs.begin(), part.logprobs.end());
        greedy.insert(greedy.end(), part.greedy.begin(), part.greedy.end());
      }
      size_t at = 0;
      for (size_t i = begin; i < next; ++i) {
        const auto n = static_cast<std::ptrdiff_t>(items[i].ids.size() - items[i].first);
        const auto from = static_cast<std::ptrdiff_t>(at);
        results[i].logprobs.assign(logprobs.begin() + from, logprobs.begin() + from + n);
        results[i].greedy.assign(greedy.begin() + from, greedy.begin() + from + n);
        at += static_cast<size_t>(n);
        runner.pool().truncate(sequences[i - begin], 0);
      }
    }
    return results;
  });
}

}  // namespace expunge::verify
