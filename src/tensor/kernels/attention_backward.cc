// Blocks of rows as in attention(); probabilities are computed again from lse. Keys and values get
// their gradients from several blocks: each of kChunks parts of the blocks sums its own, and the
// parts are added in order.
#include <vector>

#include "tensor/kernels/attention.h"
#include "tensor/kernels/attention_blocks.h"
#include "tensor/kernels/pool.h"
#include "tensor/kernels/scratch.h"

#ifndef EXPUNGE_ATTENTION_BACKWARD_JOB
#define EXPUNGE_ATTENTION_BACKWARD_JOB
namespace expunge::tensor::kernels {
namespace {

struct BackwardJob {
  const AttentionRow* rows;
  const float *q, *k_pool, *v_pool;
  AttentionShape shape;
  const float *out, *lse, *dout;
  float* dq;
};

}  // namespace
}  // namespace expunge::tensor::kernels
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/attention_backward.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "tensor/kernels/attention-inl.h"

HWY_BEFORE_NAMESPACE();
namespace expunge::tensor::kernels::HWY_NAMESPACE {
namespace {

constexpr int64_t kStep = 4 * kPanel;       // keys at a time
constexpr int64_t kApart = kStep + kLanes;  // rows of probabilities
constexpr int64_t kBehind = 16;             // floats that a ColumnSource may read past its end

// One block and one key/value head: queries [n*group], in order of rows.
class Backward {
 public:
  // dk, dv [slots,K] of this head, added to.
  Backward(const BackwardJob& job, const AttentionBlock& block, int64_t g, float* dk, float* dv)
      : job_(job), rows_{job.rows + block.first, block.n, block.shared}, g_(g), dk_(dk), dv_(dv) {
    const AttentionShape& s = job.shape;
    group_ = s.n_heads / s.n_kv_heads, k_ = s.head_dim, width_ = whole_vectors(k_);
    pool_stride_ = s.n_kv_heads * k_, n_queries_ = rows_.n * group_;
    first_query_ = block.first * s.n_heads + g * group_;
    thread_local Scratch q, dout, dq, p, dp, turned, keys, part;
    const int64_t size = n_queries_ * width_, cells = n_queries_ * kApart + kBehind;
    q_ = q.floats(size), dout_ = dout.floats(size), dq_ = dq.floats(size);
    p_ = p.floats(cells), dp_ = dp.floats(cells);
    turned_ = turned.floats(kPanel * k_), keys_ = keys.floats(kStep * width_);
    part_ = part.floats(kStep * width_);
  }

  void run() {
    gather([&](int64_t i) { return job_.q + query(i) * k_; }, n_queries_, k_, width_, q_);
    for (int64_t i = 0; i < n_queries_ * width_; ++i) q_[i] *= job_.shape.scale;
    gather([&](int64_t i) { return job_.dout + query(i) * k_; }, n_queries_, k_, width_, dout_);
    thread_local std::vector<float> delta;
    delta.assign(static_cast<size_t>(n_queries_), 0);
    for (int64_t i = 0; i < n_queries_; ++i)
      for (int64_t j = 0; j < k_; ++j)
        delta[static_cast<size_t>(i)] += dout_[i * width_ + j] * job_.out[query(i) * k_ + j];
    std::fill_n(dq_, n_queries_ * width_, 0.0F);
    rows_.segments([&](const int32_t* slots, int64_t begin, int64_t end, int64_t row, int64_t n) {
      for (int64_t t = begin; t < end; t += kStep)
        step(slots + t, t, std::min(kStep, end - t), row, n, delta.data());
    });
    for (int64_t i = 0; i < n_queries_; ++i)
      for (int64_t j = 0; j < k_; ++j)
        job_.dq[query(i) * k_ + j] = dq_[i * width_ + j] * job_.shape.scale;
  }

 private:
  int64_t query(int64_t i) const {  // its place in q
    return first_query_ + i / group_ * job_.shape.n_heads + i % group_;
  }

  // Entries t .. t+n of a list, for `count` rows from `row` on.
  void step(const int32_t* slots, int64_t t, int64_t n, int64_t row, int64_t count,
            const float* delta) {
    const int64_t first = rows_.first_seeing(t, row, count) * group_;
    const int64_t m = (row + count) * group_ - first;
    if (m == 0) return;
    const auto key = [&](int64_t i) { return job_.k_pool + slots[i] * pool_stride_ + g_ * k_; };
    const auto value = [&](int64_t i) { return job_.v_pool + slots[i] * pool_stride_ + g_ * k_; };
    turned_product(key, n, q_ + first * width_, m, p_);
    turned_product(value, n, dout_ + first * width_, m, dp_);
    for (int64_t i = 0; i < m; ++i) {
      const int64_t at = first + i;
      const AttentionRow& sight = rows_.rows[at / group_];
      const int64_t seen = std::clamp<int64_t>(sight.n_visible - t, 0, n);
      const int64_t hidden = std::clamp<int64_t>(sight.n_hidden - t, 0, n);
      probabilities(hidden, seen, n, job_.lse[query(at)], delta[at], p_ + i * kApart,
                    dp_ + i * kApart);
    }
    gather(key, n, k_, width_, keys_);
    small_product(RowSource{dp_, kApart}, m, keys_, width_, n, Into::kAdd, dq_ + first * width_);
    spread(ColumnSource{p_, kApart}, dout_ + first * width_, m, slots, n, dv_);
    spread(ColumnSource{dp_, kApart}, q_ + first * width_, m, slots, n, dk_);
  }

  // to [m,n] = x [m,K] (rows of a pool)ᵀ, rows of `to` kApart apart.
  template <class Row>
  void turned_product(const Row& row, int64_t n, const float* x, int64_t m, float* to) {
    for (int64_t t = 0; t < n; t += kPanel) {
      const int64_t left = std::min(kPanel, n - t), width = left <= kLanes ? kLanes : kPanel;
      pack_turned([&](int64_t i) { return row(t + i); }, left, k_, width, turned_);
      product_panel(RowSource{x, width_}, m, turned_, width, k_, Into::kReplace, width, to + t,
                    kApart);
    }
  }

  // p: scores -> probabilities; dp -> d scores; zeros before `hidden` and from `seen` to n.
  static void probabilities(int64_t hidden, int64_t seen, int64_t n, float lse, float delta,
                            float* p, float* dp) {
    const DV d;
    const auto shift = hn::Set(d, lse), mean = hn::Set(d, delta);
    for (int64_t i = 0; i < n; i += kLanes) {
      const auto before = hn::FirstN(d, static_cast<size_t>(std::max<int64_t>(0, hidden - i)));
      const auto mask =
          hn::AndNot(before, hn::FirstN(d, static_cast<size_t>(std::max<int64_t>(0, seen - i))));
      const auto x = hn::IfThenElseZero(mask, hn::Exp(d, hn::Sub(hn::LoadU(d, p + i), shift)));
      const auto dx = hn::IfThenElseZero(mask, hn::Mul(x, hn::Sub(hn::LoadU(d, dp + i), mean)));
      hn::StoreU(x, d, p + i);
      hn::StoreU(dx, d, dp + i);
    }
  }

  // Adds sourceᵀ x, x [m,K], to the rows of `into` that the slots name.
  void spread(const ColumnSource& source, const float* x, int64_t m, const int32_t* slots,
              int64_t n, float* into) {
    small_product(source, n, x, width_, m, Into::kReplace, part_);
    for (int64_t t = 0; t < n; ++t) {
      float* to = into + slots[t] * k_;
      for (int64_t i = 0; i < k_; ++i) to[i] += part_[t * width_ + i];
    }
  }

  const BackwardJob& job_;
  BlockRows rows_;
  int64_t g_;
  float *dk_, *dv_;
  int64_t group_, k_, width_, pool_stride_, n_queries_, first_query_;
  float *q_, *dout_, *dq_, *p_, *dp_, *turned_, *keys_, *part_;
};

void backward_target(const BackwardJob& job, const AttentionBlock& block, int64_t g, float* dk,
                     float* dv) {
  Backward(job, block, g, dk, dv).run();
}

}  // namespace
}  // namespace expunge::tensor::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace expunge::tensor::kernels {
namespace {

HWY_EXPORT(backward_target);

constexpr int64_t kChunks = 4;

}  // namespace

void attention_backward(std::span<const AttentionRow> rows, const float* q, const float* k_pool,
                        const float* v_pool, const AttentionShape& shape, const float* out,
                        const float* lse, const float* dout, int64_t n_slots,
                        const AttentionGradients& gradients) {
  const BackwardJob job{rows.data(), q, k_pool, v_pool, shape, out, lse, dout, gradients.dq};
  const int64_t heads = shape.n_kv_heads, k = shape.head_dim, each = n_slots * k;
  const std::vector<AttentionBlock> blocks = attention_blocks(rows, shape.n_heads / heads);
  const auto n = static_cast<int64_t>(blocks.size());
  thread_local Scratch scratch;
  float* parts = scratch.floats(kChunks * heads * 2 * each);  // [chunks,G,dk and dv,slots,K]
  parallel_for(0, kChunks * heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t chunk = i / heads, g = i % heads;
      float* dk = parts + i * 2 * each;
      std::fill_n(dk, 2 * each, 0.0F);
      for (int64_t b = n * chunk / kChunks; b < n * (chunk + 1) / kChunks; ++b)
        HWY_DYNAMIC_DISPATCH(backward_target)
      (job, blocks[static_cast<size_t>(b)], g, dk, dk + each);
    }
  });
  parallel_for(0, n_slots * heads, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* from = parts + i % heads * 2 * each + i / heads * k;
      for (int64_t j = 0; j < k; ++j) {
        float dk = 0, dv = 0;
        for (int64_t c = 0; c < kChunks; ++c) {
          dk += from[c * heads * 2 * each + j];
          dv += from[(c * heads * 2 + 1) * each + j];
        }
        gradients.dk[i * k + j] = dk, gradients.dv[i * k + j] = dv;
      }
    }
  });
}

}  // namespace expunge::tensor::kernels
#endif
