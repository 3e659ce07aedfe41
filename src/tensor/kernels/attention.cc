// Rows whose slot lists begin alike are grouped: a panel of keys is gathered and transposed once
// for all their queries, scores are whole (softmax over all keys at once, not online), and values
// are added in order of the list.
#include "tensor/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/kernels/attention_blocks.h"
#include "tensor/kernels/pool.h"
#include "tensor/kernels/scratch.h"

#ifndef EXPUNGE_ATTENTION_JOB
#define EXPUNGE_ATTENTION_JOB
namespace expunge::tensor::kernels {
namespace {

struct AttentionJob {
  const AttentionRow* rows;
  const float *q, *k_pool, *v_pool;
  AttentionShape shape;
  float *out, *lse;  // lse may be null
};

}  // namespace
}  // namespace expunge::tensor::kernels
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/attention.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "tensor/kernels/attention-inl.h"

HWY_BEFORE_NAMESPACE();
namespace expunge::tensor::kernels::HWY_NAMESPACE {
namespace {

constexpr float kUnseen = -1e30F;  // a score whose exponential is zero beside any other's

// scores -> exp(scores - top), zeros from n to `end`; returns their sum.
HWY_INLINE float exponentiate(float* scores, int64_t n, int64_t end, float top) {
  const DV d;
  const auto shift = hn::Set(d, top);
  auto total = hn::Zero(d);
  for (int64_t i = 0; i < n; i += kLanes) {
    auto e = hn::Exp(d, hn::Sub(hn::Load(d, scores + i), shift));
    if (i + kLanes > n) e = hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(n - i)), e);
    hn::Store(e, d, scores + i);
    total = hn::Add(total, e);
  }
  const int64_t done = whole_vectors(n);
  if (done < end) std::fill(scores + done, scores + end, 0.0F);
  return hn::GetLane(hn::SumOfLanes(d, total));
}

HWY_INLINE float largest(const float* x, int64_t n) {
  const DV d;
  auto most = hn::Set(d, x[0]);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) most = hn::Max(most, hn::Load(d, x + i));
  if (i < n) {
    const auto seen = hn::FirstN(d, static_cast<size_t>(n - i));
    most = hn::Max(most, hn::IfThenElse(seen, hn::Load(d, x + i), most));
  }
  return hn::GetLane(hn::MaxOfLanes(d, most));
}

// One block and one key/value head: queries [n*group], in order of rows.
class Attend {
 public:
  Attend(const AttentionJob& job, const AttentionBlock& block, int64_t g)
      : job_(job), rows_{job.rows + block.first, block.n, block.shared} {
    const AttentionShape& s = job.shape;
    group_ = s.n_heads / s.n_kv_heads, k_ = s.head_dim, width_ = whole_vectors(k_);
    pool_stride_ = s.n_kv_heads * k_, g_ = g;
    n_queries_ = rows_.n * group_;
    longest_ = block.longest;
    score_stride_ = whole_vectors(longest_) + kPanel;  // a panel may reach beyond the last key
    thread_local Scratch q, panel, scores, sums;
    q_ = q.floats(n_queries_ * k_), panel_ = panel.floats(kPanel * std::max(k_, 4 * width_));
    scores_ = scores.floats(n_queries_ * score_stride_), sums_ = sums.floats(n_queries_ * width_);
    first_query_ = (block.first * s.n_heads + g * group_) * k_;
  }

  void run() {
    for (int64_t r = 0; r < rows_.n; ++r)
      for (int64_t i = 0; i < group_ * k_; ++i)
        q_[r * group_ * k_ + i] = job_.q[at(r) + i] * job_.shape.scale;
    rows_.segments([&](const int32_t* slots, int64_t begin, int64_t end, int64_t row,
                       int64_t rows) { score(slots, begin, end, row, rows); });
    std::fill_n(sums_, n_queries_ * width_, 0.0F);
    thread_local std::vector<float> inverse;
    inverse.resize(static_cast<size_t>(n_queries_));
    for (int64_t i = 0; i < n_queries_; ++i) {
      float* scores = scores_ + i * score_stride_;
      const int64_t n = rows_.rows[i / group_].n_visible;
      std::fill_n(scores, rows_.rows[i / group_].n_hidden, kUnseen);
      const float top = largest(scores, n), total = exponentiate(scores, n, longest_, top);
      inverse[static_cast<size_t>(i)] = 1 / total;
      if (job_.lse)
        job_.lse[first_query_ / k_ + i / group_ * job_.shape.n_heads + i % group_] =
            top + std::log(total);
    }
    rows_.segments([&](const int32_t* slots, int64_t begin, int64_t end, int64_t row,
                       int64_t rows) { add_values(slots, begin, end, row, rows); });
    for (int64_t i = 0; i < n_queries_; ++i) {
      float* y = job_.out + at(i / group_) + i % group_ * k_;
      for (int64_t j = 0; j < k_; ++j)
        y[j] = sums_[i * width_ + j] * inverse[static_cast<size_t>(i)];
    }
  }

 private:
  int64_t at(int64_t row) const { return first_query_ + row * job_.shape.n_heads * k_; }

  void score(const int32_t* slots, int64_t begin, int64_t end, int64_t row, int64_t rows) {
    for (int64_t t = begin; t < end; t += kPanel) {
      const int64_t first = rows_.first_seeing(t, row, rows), n = std::min(kPanel, end - t);
      const float* pool = job_.k_pool + g_ * k_;
      const int64_t width = n <= kLanes ? kLanes : kPanel;
      pack_turned([&](int64_t i) { return pool + slots[t + i] * pool_stride_; }, n, k_, width,
                  panel_);
      product_panel(RowSource{q_ + first * group_ * k_, k_}, (row + rows - first) * group_, panel_,
                    width, k_, Into::kReplace, width, scores_ + first * group_ * score_stride_ + t,
                    score_stride_);
    }
  }

  void add_values(const int32_t* slots, int64_t begin, int64_t end, int64_t row, int64_t rows) {
    constexpr int64_t kStep = 4 * kPanel;
    for (int64_t t = begin; t < end; t += kStep) {
      const int64_t first = rows_.first_seeing(t, row, rows), n = std::min(kStep, end - t);
      const float* pool = job_.v_pool + g_ * k_;
      gather([&](int64_t i) { return pool + slots[t + i] * pool_stride_; }, n, k_, width_, panel_);
      small_product(RowSource{scores_ + first * group_ * score_stride_ + t, score_stride_},
                    (row + rows - first) * group_, panel_, width_, n, Into::kAdd,
                    sums_ + first * group_ * width_);
    }
  }

  const AttentionJob& job_;
  BlockRows rows_;
  int64_t longest_, group_, k_, width_, pool_stride_, g_, n_queries_, score_stride_, first_query_;
  float *q_, *panel_, *scores_, *sums_;
};

void attend_target(const AttentionJob& job, const AttentionBlock& block, int64_t g) {
  Attend(job, block, g).run();
}

}  // namespace
}  // namespace expunge::tensor::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace expunge::tensor::kernels {
namespace {

HWY_EXPORT(attend_target);

void attend_all(std::span<const AttentionRow> rows, const float* q, const float* k_pool,
                const float* v_pool, const AttentionShape& shape, float* out, float* lse) {
  const AttentionJob job{rows.data(), q, k_pool, v_pool, shape, out, lse};
  const std::vector<AttentionBlock> blocks =
      attention_blocks(rows, shape.n_heads / shape.n_kv_heads);
  const auto n = static_cast<int64_t>(blocks.size());
  // Blocks of one row, which is decoding, are handed over several at a time.
  const int64_t grain = static_cast<int64_t>(rows.size()) > 2 * n ? 1 : 4;
  parallel_for(0, n * shape.n_kv_heads, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) HWY_DYNAMIC_DISPATCH(attend_target)
    (job, blocks[static_cast<size_t>(i / shape.n_kv_heads)], i % shape.n_kv_heads);
  });
}

}  // namespace

void attention(std::span<const AttentionRow> rows, const float* q, const float* k_pool,
               const float* v_pool, const AttentionShape& shape, float* out) {
  attend_all(rows, q, k_pool, v_pool, shape, out, nullptr);
}

void attention(std::span<const AttentionRow> rows, const float* q, const float* k_pool,
               const float* v_pool, const AttentionShape& shape, float* out, float* lse) {
  attend_all(rows, q, k_pool, v_pool, shape, out, lse);
}

void attention_plain(std::span<const AttentionRow> rows, const float* q, const float* k_pool,
                     const float* v_pool, const AttentionShape& s, float* out) {
  const int64_t group = s.n_heads / s.n_kv_heads, k = s.head_dim;
  for (size_t r = 0; r < rows.size(); ++r)
    for (int64_t h = 0; h < s.n_heads; ++h) {
      const float* query = q + (static_cast<int64_t>(r) * s.n_heads + h) * k;
      const auto at = [&](const float* pool, int64_t t) {
        return pool + (rows[r].slots[t] * s.n_kv_heads + h / group) * k;
      };
      std::vector<double> weight(static_cast<size_t>(rows[r].n_visible));
      double total = 0;
      for (int64_t t = rows[r].n_hidden; t < rows[r].n_visible; ++t) {
        double score = 0;
        for (int64_t i = 0; i < k; ++i) score += static_cast<double>(query[i]) * at(k_pool, t)[i];
        total += weight[static_cast<size_t>(t)] = std::exp(score * s.scale);
      }
      for (int64_t i = 0; i < k; ++i) {
        double y = 0;
        for (int64_t t = rows[r].n_hidden; t < rows[r].n_visible; ++t)
          y += weight[static_cast<size_t>(t)] / total * at(v_pool, t)[i];
        out[(static_cast<int64_t>(r) * s.n_heads + h) * k + i] = static_cast<float>(y);
      }
    }
}

}  // namespace expunge::tensor::kernels
#endif
