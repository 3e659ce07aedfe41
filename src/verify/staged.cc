#include "verify/staged.h"

#include <algorithm>

namespace expunge::verify {
namespace {

std::vector<model::Chunk> chunks_of(const std::vector<std::vector<int32_t>>& prompts,
                                    std::vector<model::Sequence>& sequences, size_t shared) {
  std::vector<model::Chunk> chunks;
  for (size_t i = 0; i < prompts.size(); ++i)
    chunks.push_back({&sequences[i], std::span(prompts[i]).subspan(shared)});
  return chunks;
}

Tensor rows(const Tensor& t, const std::vector<int64_t>& index) {
  return t.index_select(0, at::tensor(at::ArrayRef<int64_t>(index), tensor::i64()));
}

}  // namespace

base::Result<Staged> Staged::prepare(const model::Model& model,
                                     std::vector<std::vector<int32_t>> prompts, int64_t layer,
                                     std::span<const Tensor> entering) {
  for (const auto& ids : prompts) TRY(model::check_prompt(model.config(), ids));
  CHECK(entering.empty() || entering.size() == prompts.size());
  return tensor::guarded([&]() -> base::Result<Staged> {
    Staged s(model);
    s.layer_ = layer = std::max<int64_t>(layer, 1);
    s.prompts_ = std::move(prompts);
    if (s.prompts_.empty()) return s;
    // The shared beginning is run through all layers: an edit may not reach its tokens, which is so
    // as long as they come before the question (the system prompt).
    const size_t shared = s.prompts_.size() > 1 ? model::common_prefix(s.prompts_) : 0;
    const auto from = [&](size_t i, size_t first, size_t n) {
      return entering[i].narrow(0, static_cast<int64_t>(first), static_cast<int64_t>(n));
    };
    if (shared > 0) {
      const model::Chunk chunk{&s.prefix_, std::span(s.prompts_[0]).first(shared)};
      if (entering.empty()) {
        s.runner_->forward({&chunk, 1});
      } else {
        s.runner_->pool().extend(s.prefix_, shared);
        s.runner_->resume({&chunk, 1}, layer, from(0, 0, shared));
      }
    }
    int64_t row = -1;
    for (const auto& ids : s.prompts_) {
      s.sequences_.push_back(model::KvPool::fork(s.prefix_));
      s.last_row_.push_back(row += static_cast<int64_t>(ids.size() - shared));
    }
    const auto chunks = chunks_of(s.prompts_, s.sequences_, shared);
    if (entering.empty()) {
      s.hidden_ = s.runner_->forward(chunks, {}, layer - 1);
      return s;
    }
    s.continuable_ = false;
    std::vector<Tensor> own;
    for (size_t i = 0; i < chunks.size(); ++i) {
      s.runner_->pool().extend(s.sequences_[i], chunks[i].ids.size());
      own.push_back(from(i, shared, chunks[i].ids.size()));
    }
    s.hidden_ = at::cat(own);
    return s;
  });
}

Tensor Staged::resume() {
  const auto chunks = chunks_of(prompts_, sequences_, prefix_.length());
  return runner_->resume(chunks, layer_, hidden_);
}

base::Result<Tensor> Staged::logits(const model::Model& edited, std::span<const int64_t> tail) {
  runner_->use(edited);
  TRY(base::check_cancel());
  return tensor::guarded([&] {
    std::vector<int64_t> index;
    for (size_t i = 0; i < prompts_.size(); ++i)
      for (int64_t back = tail[i]; back >= 0; --back) index.push_back(last_row_[i] - back);
    return runner_->logits(rows(resume(), index));
  });
}

base::Result<std::vector<std::vector<int32_t>>> Staged::generate(const model::Model& edited,
                                                                 int64_t max_new_tokens,
                                                                 const model::OnToken& on_token) {
  runner_->use(edited);
  CHECK(continuable_);
  std::vector<std::vector<int32_t>> replies(prompts_.size());
  if (prompts_.empty()) return replies;
  const auto& ends = runner_->model().config().end_ids;
  return tensor::guarded([&]() -> base::Result<std::vector<std::vector<int32_t>>> {
    Tensor hidden = rows(resume(), last_row_);
    std::vector<size_t> running(prompts_.size());
    for (size_t i = 0; i < running.size(); ++i) running[i] = i;
    for (int64_t step = 0; step < max_new_tokens && !running.empty(); ++step) {
      TRY(base::check_cancel());
      const Tensor next = runner_->logits(hidden).argmax(1);  // [B]
      std::vector<size_t> going;
      for (size_t r = 0; r < running.size(); ++r) {
        const auto id = static_cast<int32_t>(next[static_cast<int64_t>(r)].item<int64_t>());
        if (std::ranges::find(ends, id) != ends.end()) continue;
        replies[running[r]].push_back(id);
        if (on_token && on_token(running[r], replies[running[r]]) == model::Next::kStop) continue;
        going.push_back(running[r]);
      }
      running = std::move(going);
      if (running.empty() || step + 1 == max_new_tokens) break;
      std::vector<model::Chunk> chunks;
      for (const size_t i : running)
        chunks.push_back({&sequences_[i], std::span(replies[i]).last(1)});
      hidden = runner_->forward(chunks);
    }
    for (size_t i = 0; i < sequences_.size(); ++i)
      runner_->pool().truncate(sequences_[i], prompts_[i].size());
    return replies;
  });
}

}  // namespace expunge::verify
