#include "verify/score.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/prefix_plan.h"
#include "model/scheduler.h"

namespace expunge::verify {
namespace {

using base::Result;
using tensor::Tensor;
using tensor::kernels::SoftmaxStats;

constexpr size_t kPassTokens = 1024, kWorthSharing = 8;
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

class Scorer {
 public:
  Scorer(const model::Model& model, std::span<const ScoreItem> items, const ScoreOptions& options)
      : items_(items), options_(options), runner_(model), scores_(items.size()) {
    for (const ScoreItem& item : items)  // the last token is only predicted
      inputs_.push_back({std::span(item.ids).first(item.ids.size() - 1), item.first - 1});
    plan_ = plan_prefixes(inputs_, {.sharing = model::Sharing::kNeighbours,
                                    .worth_sharing = kWorthSharing,
                                    .pass_rows = kPassTokens});
  }

  Result<std::vector<AnswerScore>> run(const base::Job& job) {
    model::PlannedRun run(runner_, inputs_, plan_, options_.hidden_id);
    run.begin();
    size_t n_done = 0;
    for (const model::PrefixPlan::Pass& pass : plan_.passes) {
      TRY(job.check());
      job.report("scoring", n_done, items_.size());
      const Tensor hidden = run.pass(pass);  // [rows,D]
      if (hidden.defined()) head(hidden, pass);
      n_done += pass.steps.size();
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
  void head(const Tensor& hidden, const model::PrefixPlan::Pass& pass) {
    struct Target {
      int64_t row;
      size_t item;
      int32_t id;
    };
    std::vector<Target> targets;
    for (const model::PrefixPlan::Step& step : pass.steps) {
      const ScoreItem& item = items_[step.input];
      for (size_t t = item.first; t < item.ids.size(); ++t)
        targets.push_back({step.rows[t - 1 - plan_.n_begun], step.input, item.ids[t]});
    }
    // By rows, so that one that several items read is computed once; an item's own stay in order.
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
  model::Runner runner_;
  std::vector<model::PlanInput> inputs_;
  model::PrefixPlan plan_;
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
    TRY(model::check_prompt(model.arch(), item.ids));
    if (item.first < 1 || item.first > item.ids.size())
      return base::fail(base::Code::kInvalid, "scoring needs a token before the first scored one");
  }
  if (items.empty()) return std::vector<AnswerScore>();
  return tensor::guarded([&] { return Scorer(model, items, options).run(job); });
}

}  // namespace expunge::verify
