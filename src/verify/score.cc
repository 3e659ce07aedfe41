#include "verify/score.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/forward.h"
#include "model/generate.h"

namespace expunge::verify {
namespace {

using base::Result;
using tensor::Tensor;
using tensor::kernels::SoftmaxStats;

constexpr size_t kPassTokens = 1024;
constexpr int64_t kHeadRows = 128;

void add(AnswerScore& score, const SoftmaxStats& row, int32_t target, float logit) {
  score.logprobs.push_back(static_cast<double>(logit) - row.log_norm);
  score.greedy.push_back(row.best == target);
  score.mean.push_back(row.mean);
  score.variance.push_back(row.variance);
}

void finish(AnswerScore& score) {
  score.n_tokens = static_cast<int64_t>(score.logprobs.size());
  const double total = std::accumulate(score.logprobs.begin(), score.logprobs.end(), 0.0);
  score.avg_loss = score.n_tokens == 0 ? 0 : -total / static_cast<double>(score.n_tokens);
}

size_t shared(std::span<const int32_t> a, std::span<const int32_t> b) {
  return static_cast<size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

class Scorer {
 public:
  Scorer(const model::Model& model, std::span<const ScoreItem> items, const ScoreOptions& options,
         const base::Job& job)
      : items_(items), options_(options), job_(job), runner_(model), scores_(items.size()) {
    order_.resize(items.size());
    std::iota(order_.begin(), order_.end(), size_t{0});
    std::ranges::sort(order_, {}, [&](size_t i) -> const auto& { return items[i].ids; });
  }

  Result<std::vector<AnswerScore>> run() {
    begin();
    for (size_t next = 0; next < order_.size();) {
      TRY(base::check_cancel());
      TRY(job_.check());
      job_.report("scoring", next, order_.size());
      next = pass(next);
    }
    for (AnswerScore& s : scores_) {
      finish(s);
      if (!std::isfinite(s.avg_loss))
        return base::fail(base::Code::kNumeric, fmt::format("a loss is {}", s.avg_loss),
                          "the weights or an edit are damaged");
    }
    return std::move(scores_);
  }

 private:
  // One item of a pass: where its tokens' rows are among the pass's, from the beginning on.
  struct Placed {
    size_t item;
    model::Sequence sequence;
    std::vector<int64_t> rows;  // of tokens n_begun_..; the last token's is not needed
  };

  // What is run of an item: its last token only has to be predicted.
  std::span<const int32_t> run_of(size_t item) const {
    const auto& ids = items_[item].ids;
    return std::span(ids).first(ids.size() - 1);
  }
  size_t hidden_in(std::span<const int32_t> ids) const {
    return static_cast<size_t>(std::ranges::count(ids, options_.hidden_id));
  }

  // The beginning that all items share and none is scored in.
  void begin() {
    if (items_.size() < 2) return;
    const auto first = run_of(order_.front()), last = run_of(order_.back());
    n_begun_ = shared(first, last);  // sorted: these two have least in common
    for (const ScoreItem& item : items_) n_begun_ = std::min(n_begun_, item.first - 1);
    constexpr size_t kWorthSharing = 8;
    if (n_begun_ < kWorthSharing) n_begun_ = 0;
    for (size_t at = 0; at < n_begun_; at += kPassTokens) {
      const size_t n = std::min(kPassTokens, n_begun_ - at);
      const model::Chunk chunk{&begun_, first.subspan(at, n), options_.hidden_id};
      runner_.forward({&chunk, 1});
    }
  }

  // Scores items from `next` on as one packed batch -> the first item that did not fit.
  size_t pass(size_t next) {
    std::vector<Placed> placed;
    std::vector<model::Chunk> chunks;
    placed.reserve(order_.size() - next);  // chunks point into it
    int64_t n_rows = 0;
    for (; next < order_.size(); ++next) {
      const size_t item = order_[next];
      const auto ids = run_of(item);
      const size_t known = placed.empty() ? n_begun_ : shared(run_of(placed.back().item), ids);
      const auto fresh = ids.subspan(known);
      if (!placed.empty() && !fresh.empty() &&
          static_cast<size_t>(n_rows) + fresh.size() > kPassTokens)
        break;
      const size_t hidden = hidden_in(ids.first(known));
      Placed p{item,
               model::KvPool::fork(placed.empty() ? begun_ : placed.back().sequence, known - hidden,
                                   hidden),
               {}};
      if (!placed.empty()) {
        const auto& before = placed.back().rows;
        p.rows.assign(before.begin(),
                      before.begin() + static_cast<std::ptrdiff_t>(known - n_begun_));
      }
      for (size_t t = 0; t < fresh.size(); ++t) p.rows.push_back(n_rows++);
      placed.push_back(std::move(p));
      if (fresh.empty()) continue;
      chunks.push_back({&placed.back().sequence, fresh, options_.hidden_id});
      runner_.append(chunks.back());
    }
    if (!chunks.empty()) head(runner_.compute(chunks), placed);  // else nothing is scored
    for (auto p = placed.rbegin(); p != placed.rend(); ++p)
      runner_.pool().truncate(p->sequence, p->sequence.n_shared);
    return next;
  }

  void head(const Tensor& hidden, const std::vector<Placed>& placed) {
    struct Target {
      int64_t row;
      size_t item;
      int32_t id;
    };
    std::vector<Target> targets;
    for (const Placed& p : placed) {
      const ScoreItem& item = items_[p.item];
      for (size_t t = item.first; t < item.ids.size(); ++t)
        targets.push_back({p.rows[t - 1 - n_begun_], p.item, item.ids[t]});
    }
    // By rows, so that one which several items read is computed once; an item's own stay in order.
    std::ranges::stable_sort(targets, {}, &Target::row);
    for (size_t at = 0; at < targets.size();) {
      std::vector<int64_t> rows;
      size_t end = at;
      for (; end < targets.size(); ++end) {
        if (!rows.empty() && rows.back() == targets[end].row) continue;
        if (static_cast<int64_t>(rows.size()) == kHeadRows) break;
        rows.push_back(targets[end].row);
      }
      const auto n = static_cast<int64_t>(rows.size());
      const Tensor logits = runner_.logits(
          hidden.index_select(0, at::tensor(at::ArrayRef<int64_t>(rows), tensor::i64())));  // [n,V]
      const int64_t vocab = logits.size(1);
      const float* values = logits.data_ptr<float>();
      std::vector<SoftmaxStats> stats(rows.size());
      tensor::kernels::softmax_stats(values, n, vocab, stats.data(), options_.exp_sum);
      for (size_t r = 0; at < end; ++at) {
        while (rows[r] != targets[at].row) ++r;
        const Target& target = targets[at];
        add(scores_[target.item], stats[r], target.id,
            values[static_cast<int64_t>(r) * vocab + target.id]);
      }
    }
  }

  std::span<const ScoreItem> items_;
  const ScoreOptions& options_;
  const base::Job& job_;
  model::Runner runner_;
  std::vector<size_t> order_;  // items by their ids
  size_t n_begun_ = 0;
  model::Sequence begun_;
  std::vector<AnswerScore> scores_;
};

}  // namespace

AnswerScore score_rows(const Tensor& logits, std::span<const int32_t> targets) {
  const int64_t n = logits.size(0), vocab = logits.size(1);
  CHECK(n == static_cast<int64_t>(targets.size()));
  const float* values = logits.data_ptr<float>();
  std::vector<SoftmaxStats> stats(targets.size());
  tensor::kernels::softmax_stats(values, n, vocab, stats.data());
  AnswerScore score;
  for (size_t i = 0; i < targets.size(); ++i)
    add(score, stats[i], targets[i], values[static_cast<int64_t>(i) * vocab + targets[i]]);
  finish(score);
  return score;
}

Result<std::vector<AnswerScore>> score(const model::Model& model, std::span<const ScoreItem> items,
                                       const ScoreOptions& options, const base::Job& job) {
  for (const ScoreItem& item : items) {
    TRY(model::check_prompt(model.config(), item.ids));
    if (item.first < 1 || item.first > item.ids.size())
      return base::fail(base::Code::kInvalid, "scoring needs a token before the first scored one");
  }
  if (items.empty()) return std::vector<AnswerScore>();
  return tensor::guarded([&] { return Scorer(model, items, options, job).run(); });
}

}  // namespace expunge::verify
