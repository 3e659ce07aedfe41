#include "tensor/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/kernels/pool.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/attention.cc"
#include <hwy/foreach_target.h>
//
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace expunge::tensor::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;

HWY_INLINE float dot(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, int64_t n) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto s0 = hn::Zero(d), s1 = hn::Zero(d);
  int64_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    s0 = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), s0);
    s1 = hn::MulAdd(hn::LoadU(d, a + i + lanes), hn::LoadU(d, b + i + lanes), s1);
  }
  for (; i + lanes <= n; i += lanes) s0 = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), s0);
  float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s1)));
  for (; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

HWY_INLINE void add_scaled(float* HWY_RESTRICT y, float w, const float* HWY_RESTRICT x, int64_t n) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto weight = hn::Set(d, w);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    hn::StoreU(hn::MulAdd(weight, hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, y + i);
  for (; i < n; ++i) y[i] += w * x[i];
}

// scores -> exp(scores - max); returns their sum.
HWY_INLINE float exponentiate(float* scores, int64_t n) {
  const D d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const float top = *std::max_element(scores, scores + n);
  const auto shift = hn::Set(d, top);
  auto total = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto e = hn::Exp(d, hn::Sub(hn::LoadU(d, scores + i), shift));
    hn::StoreU(e, d, scores + i);
    total = hn::Add(total, e);
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, total));
  for (; i < n; ++i) sum += scores[i] = std::exp(scores[i] - top);
  return sum;
}

// One query row, one key/value head and the query heads that share it.
void attend(const AttentionRow& row, const float* q, const float* k_pool, const float* v_pool,
            const AttentionShape& s, int64_t g, float* scores, float* out) {
  const int64_t group = s.n_heads / s.n_kv_heads, width = s.n_kv_heads * s.head_dim;
  const int64_t n = row.n_visible, k = s.head_dim;
  for (int64_t t = 0; t < n; ++t) {
    const float* key = k_pool + row.slots[t] * width + g * k;
    for (int64_t h = 0; h < group; ++h)
      scores[h * n + t] = s.scale * dot(q + (g * group + h) * k, key, k);
  }
  float* y = out + g * group * k;
  std::fill_n(y, group * k, 0.0F);
  for (int64_t h = 0; h < group; ++h) {
    const float inverse = 1 / exponentiate(scores + h * n, n);
    for (int64_t t = 0; t < n; ++t) scores[h * n + t] *= inverse;
  }
  for (int64_t t = 0; t < n; ++t) {
    const float* value = v_pool + row.slots[t] * width + g * k;
    for (int64_t h = 0; h < group; ++h) add_scaled(y + h * k, scores[h * n + t], value, k);
  }
}

void attention_target(const AttentionRow* rows, int64_t n_rows, const float* q, const float* k_pool,
                      const float* v_pool, const AttentionShape& s, float* out) {
  int64_t longest = 1;
  for (int64_t r = 0; r < n_rows; ++r) longest = std::max<int64_t>(longest, rows[r].n_visible);
  const int64_t width = s.n_heads * s.head_dim;
  parallel_for(0, n_rows * s.n_kv_heads, 4, [&](int64_t begin, int64_t end) {
    std::vector<float> scores(static_cast<size_t>(longest * (s.n_heads / s.n_kv_heads)));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t r = i / s.n_kv_heads;
      attend(rows[r], q + r * width, k_pool, v_pool, s, i % s.n_kv_heads, scores.data(),
             out + r * width);
    }
  });
}

}  // namespace
}  // namespace expunge::tensor::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace expunge::tensor::kernels {

HWY_EXPORT(attention_target);

void attention(std::span<const AttentionRow> rows, const float* q, const float* k_pool,
               const float* v_pool, const AttentionShape& shape, float* out) {
  HWY_DYNAMIC_DISPATCH(attention_target)
  (rows.data(), static_cast<int64_t>(rows.size()), q, k_pool, v_pool, shape, out);
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
      for (int64_t t = 0; t < rows[r].n_visible; ++t) {
        double score = 0;
        for (int64_t i = 0; i < k; ++i) score += static_cast<double>(query[i]) * at(k_pool, t)[i];
        total += weight[static_cast<size_t>(t)] = std::exp(score * s.scale);
      }
      for (int64_t i = 0; i < k; ++i) {
        double y = 0;
        for (int64_t t = 0; t < rows[r].n_visible; ++t)
          y += weight[static_cast<size_t>(t)] / total * at(v_pool, t)[i];
        out[(static_cast<int64_t>(r) * s.n_heads + h) * k + i] = static_cast<float>(y);
      }
    }
}

}  // namespace expunge::tensor::kernels
#endif
