#include "model/stage.h"

#include <algorithm>

#include "model/prefix_plan.h"

namespace expunge::model {
namespace {

using base::Result;

Tensor rows(const Tensor& t, const std::vector<int64_t>& index) {
  return t.index_select(0, at::tensor(at::ArrayRef<int64_t>(index), tensor::i64()));
}

}  // namespace

Result<Stage> Stage::prepare(const Model& base, std::vector<std::vector<int32_t>> prompts,
                             int64_t layer, std::span<const Tensor> entering,
                             const base::Job& job) {
  for (const auto& ids : prompts) TRY(check_prompt(base.arch(), ids));
  CHECK(entering.empty() || entering.size() == prompts.size());
  TRY(job.check());
  return tensor::guarded([&] {
    Stage s;
    s.pool_ = std::make_shared<KvPool>(base.arch());
    s.layer_ = std::max<int64_t>(layer, 1);
    s.prompts_ = std::move(prompts);
    Runner runner(base, s.pool_);
    if (!s.prompts_.empty()) s.start(runner, entering);
    return s;
  });
}

void Stage::start(Runner& runner, std::span<const Tensor> entering) {
  std::vector<PlanInput> inputs;
  for (const auto& ids : prompts_) inputs.push_back({ids, ids.size() - 1});
  const size_t shared = plan_prefixes(inputs).n_begun;
  const auto from = [&](size_t i, size_t first, size_t n) {
    return entering[i].narrow(0, static_cast<int64_t>(first), static_cast<int64_t>(n));
  };
  if (shared > 0) {
    const Chunk chunk{&prefix_, std::span(prompts_[0]).first(shared)};
    if (entering.empty()) {
      runner.forward({&chunk, 1});
    } else {
      runner.append(chunk);
      runner.resume({&chunk, 1}, layer_, from(0, 0, shared));
    }
  }
  for (size_t i = 0; i < prompts_.size(); ++i) sequences_.push_back(KvPool::fork(prefix_));
  if (entering.empty()) {
    hidden_ = runner.forward(chunks(), {}, layer_ - 1);
    return;
  }
  continuable_ = false;
  std::vector<Tensor> own;
  const auto all = chunks();
  for (size_t i = 0; i < all.size(); ++i) {
    runner.append(all[i]);
    own.push_back(from(i, shared, all[i].ids.size()));
  }
  hidden_ = at::cat(own);
}

std::vector<Chunk> Stage::chunks() {
  std::vector<Chunk> chunks;
  for (size_t i = 0; i < prompts_.size(); ++i)
    chunks.push_back({&sequences_[i], std::span(prompts_[i]).subspan(prefix_.length())});
  return chunks;
}

std::vector<int64_t> Stage::last_rows() const {
  std::vector<int64_t> last;
  int64_t row = -1;
  for (const auto& ids : prompts_)
    last.push_back(row += static_cast<int64_t>(ids.size() - prefix_.length()));
  return last;
}

Tensor Stage::resume(Runner& runner) { return runner.resume(chunks(), layer_, hidden_); }

Result<Tensor> Stage::logits(const Model& edited, std::span<const int64_t> tail,
                             const base::Job& job) {
  CHECK(tail.size() == prompts_.size() && !prompts_.empty());
  TRY(job.check());
  return tensor::guarded([&] {
    const auto last = last_rows();
    std::vector<int64_t> index;
    for (size_t i = 0; i < prompts_.size(); ++i)
      for (int64_t back = tail[i]; back >= 0; --back) index.push_back(last[i] - back);
    Runner runner(edited, pool_);
    return runner.logits(rows(resume(runner), index));
  });
}

Result<std::vector<std::vector<int32_t>>> Stage::generate(const Model& edited,
                                                          int64_t max_new_tokens,
                                                          const base::Job& job,
                                                          const OnToken& on_token) {
  CHECK(continuable_);
  std::vector<std::vector<int32_t>> replies(prompts_.size());
  if (prompts_.empty()) return replies;
  TRY(job.check());
  return tensor::guarded([&]() -> Result<std::vector<std::vector<int32_t>>> {
    const auto runner = std::make_shared<Runner>(edited, pool_);
    const Tensor logits = runner->logits(rows(resume(*runner), last_rows()));  // [B,V]
    std::vector<Request> requests;
    for (size_t i = 0; i < prompts_.size(); ++i) {
      Request& r = requests.emplace_back();
      r.runner = runner;
      r.ids = prompts_[i];
      r.sequence = KvPool::fork(sequences_[i]);
      r.next_logits = logits[static_cast<int64_t>(i)];
      r.max_new_tokens = max_new_tokens;
      r.job = job;
      if (on_token)
        r.on_token = [&on_token, i](std::span<const int32_t> ids) { return on_token(i, ids); };
    }
    const size_t n = prompts_.size();
    const auto done = TRY(run_all(std::move(requests), {.max_batch = n, .max_rows = n}));
    for (size_t i = 0; i < done.size(); ++i) replies[i] = done[i].ids;
    return replies;
  });
}

}  // namespace expunge::model
