#include "tensor/kernels/attention.h"

#include "tensor/kernels/kernel_test.h"
#include "tensor/kernels/pool.h"
#include "tensor/tensor.h"

namespace expunge::tensor::kernels {
namespace {

struct Problem {
  AttentionShape shape;
  std::vector<int32_t> slots;
  std::vector<AttentionRow> rows;
  std::vector<float> q, k, v;
};

// Row r sees r + 1 … of a list of shuffled slots; the pool holds slots that no row sees, too.
Problem problem(AttentionShape shape, int32_t n_visible, int32_t n_rows, double magnitude) {
  std::mt19937_64 rng(static_cast<uint64_t>(n_visible * 1009 + shape.head_dim));
  Problem p{shape, {}, {}, {}, {}, {}};
  const int32_t pool = 2 * n_visible + 3;
  for (int32_t s = 0; s < pool; ++s) p.slots.push_back(s);
  std::shuffle(p.slots.begin(), p.slots.end(), rng);
  for (int32_t r = 0; r < n_rows; ++r)
    p.rows.push_back({p.slots.data(), std::max(1, n_visible - n_rows + 1 + r)});
  p.q = random_floats(rng, static_cast<size_t>(n_rows * shape.n_heads * shape.head_dim), magnitude);
  const auto width = static_cast<size_t>(shape.n_kv_heads * shape.head_dim);
  p.k = random_floats(rng, static_cast<size_t>(pool) * width, magnitude);
  p.v = random_floats(rng, static_cast<size_t>(pool) * width, magnitude);
  return p;
}

// softmax(scale q kᵀ) v by its definition, in T.
template <class T>
std::vector<T> plain(const Problem& p) {
  const auto& s = p.shape;
  const int64_t group = s.n_heads / s.n_kv_heads;
  std::vector<T> out;
  for (size_t r = 0; r < p.rows.size(); ++r)
    for (int64_t h = 0; h < s.n_heads; ++h) {
      const auto cell = [&](const std::vector<float>& pool, int64_t t, int64_t i) {
        const int64_t slot = p.rows[r].slots[t];
        return static_cast<T>(
            pool[static_cast<size_t>((slot * s.n_kv_heads + h / group) * s.head_dim + i)]);
      };
      std::vector<T> weight;
      for (int64_t t = p.rows[r].n_hidden; t < p.rows[r].n_visible; ++t) {
        T score = 0;
        for (int64_t i = 0; i < s.head_dim; ++i)
          score +=
              static_cast<T>(p.q[(r * static_cast<size_t>(s.n_heads) + static_cast<size_t>(h)) *
                                     static_cast<size_t>(s.head_dim) +
                                 static_cast<size_t>(i)]) *
              cell(p.k, t, i);
        weight.push_back(score * static_cast<T>(s.scale));
      }
      const T top = *std::max_element(weight.begin(), weight.end());
      T total = 0;
      for (T& w : weight) total += w = std::exp(w - top);
      for (int64_t i = 0; i < s.head_dim; ++i) {
        T y = 0;
        for (size_t t = 0; t < weight.size(); ++t)
          y += weight[t] / total * cell(p.v, p.rows[r].n_hidden + static_cast<int64_t>(t), i);
        out.push_back(y);
      }
    }
  return out;
}

void check(const Problem& p, const std::string& where) {
  const std::vector<double> want = plain<double>(p);
  std::vector<float> got(p.q.size(), -1), twin(p.q.size(), -1);
  attention(p.rows, p.q.data(), p.k.data(), p.v.data(), p.shape, got.data());
  expect_at_floor(got, plain<float>(p), want, where);
  attention_plain(p.rows, p.q.data(), p.k.data(), p.v.data(), p.shape, twin.data());
  EXPECT_LT(tests::relative_l2(twin, want), 1e-7) << where;
}
void check(AttentionShape shape, int32_t n_visible, int32_t n_rows, double magnitude) {
  check(problem(shape, n_visible, n_rows, magnitude),
        fmt::format("heads {}/{} K {} visible {} rows {} magnitude {}", shape.n_heads,
                    shape.n_kv_heads, shape.head_dim, n_visible, n_rows, magnitude));
}

TEST(Attention, EqualsItsPlainTwinOverOddShapes) {
  for (const int64_t head_dim : {1, 31, 32, 33, 64})
    for (const int32_t n_visible : {1, 31, 32, 33})
      for (const int32_t n_rows : {1, 3, 33})
        check({6, 2, head_dim, 1 / std::sqrt(static_cast<float>(head_dim))}, n_visible, n_rows, 1);
}

TEST(Attention, HoldsForEveryHeadGrouping) {
  for (const auto& [heads, kv] : {std::pair<int64_t, int64_t>{1, 1}, {3, 3}, {9, 3}, {8, 1}})
    check({heads, kv, 32, 0.18F}, 33, 5, 1);
}

TEST(Attention, HoldsOverMagnitudes) {
  for (const double magnitude : {1e-4, 1e-2, 4.0}) check({4, 2, 32, 0.18F}, 33, 5, magnitude);
}

// Lists that agree in their first `shared` entries, with some rows each.
TEST(Attention, HoldsWhereListsBeginAlike) {
  for (const int32_t shared : {0, 31, 32, 33, 70})
    for (const int32_t own : {0, 1, 20})
      for (const int32_t n_rows : {1, 2, 5}) {
        if (shared + own < n_rows) continue;
        Problem p = problem({6, 2, 33, 0.18F}, 200, 7 * n_rows, 1);
        std::vector<std::vector<int32_t>> lists;
        for (int32_t i = 0; i < 7; ++i) {
          lists.emplace_back(p.slots.begin(), p.slots.begin() + shared);
          const auto rest = p.slots.begin() + shared + i * own;
          lists.back().insert(lists.back().end(), rest, rest + own);
        }
        p.rows.clear();
        for (const auto& list : lists)
          for (int32_t r = 0; r < n_rows; ++r)
            p.rows.push_back({list.data(), shared + own - n_rows + 1 + r});
        check(p, fmt::format("shared {} own {} rows {}", shared, own, n_rows));
      }
}

// What a row sees need not increase from row to row.
TEST(Attention, HoldsForRowsInAnyOrder) {
  Problem p = problem({3, 1, 32, 0.18F}, 90, 40, 1);
  std::mt19937_64 rng(5);
  std::shuffle(p.rows.begin(), p.rows.end(), rng);
  p.rows[3].n_visible = 1;
  check(p, "shuffled");
}

// A window hides the first keys of a list: short and long ones, of one list and of lists that begin
// alike.
TEST(Attention, HoldsUnderWindows) {
  for (const int32_t window : {1, 5, 16, 33, 400})
    for (const int32_t n_visible : {1, 33, 150}) {
      Problem p = problem({6, 2, 32, 0.18F}, n_visible, std::min(n_visible, 40), 1);
      for (AttentionRow& row : p.rows) row.n_hidden = std::max(0, row.n_visible - window);
      check(p, fmt::format("window {} visible {}", window, n_visible));
      Problem mixed = problem({6, 2, 32, 0.18F}, n_visible, std::min(n_visible, 40), 1);
      for (size_t r = 0; r < mixed.rows.size(); r += 2)
        mixed.rows[r].n_hidden = std::max(0, mixed.rows[r].n_visible - window);
      check(mixed, fmt::format("every second row, window {} visible {}", window, n_visible));
    }
}

// The other sequences of the batch and the number of threads change no bit.
TEST(Attention, ASequenceIsTheSameBitsAlone) {
  const Problem p = problem({6, 2, 64, 0.125F}, 150, 70, 1);
  std::vector<int32_t> reversed(p.slots.rbegin(), p.slots.rend());
  std::vector<AttentionRow> rows = p.rows;
  for (size_t r = 0; r < 33; ++r) rows[r].slots = reversed.data();
  std::vector<float> both(p.q.size()), alone(p.q.size());
  const CallerThreads two(2);
  attention(rows, p.q.data(), p.k.data(), p.v.data(), p.shape, both.data());
  const CallerThreads one(1);
  const size_t at = 33 * 6 * 64;
  attention(std::span(rows).first(33), p.q.data(), p.k.data(), p.v.data(), p.shape, alone.data());
  attention(std::span(rows).subspan(33), p.q.data() + at, p.k.data(), p.v.data(), p.shape,
            alone.data() + at);
  EXPECT_EQ(both, alone);
}

TEST(Attention, GivesTheLogOfTheSum) {
  const Problem p = problem({6, 2, 33, 0.18F}, 33, 5, 4);
  std::vector<float> out(p.q.size()), lse(p.rows.size() * 6);
  attention(p.rows, p.q.data(), p.k.data(), p.v.data(), p.shape, out.data(), lse.data());
  for (size_t i = 0; i < lse.size(); ++i) {
    const AttentionRow& row = p.rows[i / 6];
    double sum = 0;
    for (int32_t t = 0; t < row.n_visible; ++t) {
      double score = 0;
      for (size_t j = 0; j < 33; ++j) {
        const size_t key = static_cast<size_t>(row.slots[t]) * 66 + i % 6 / 3 * 33;
        score += static_cast<double>(p.q[i * 33 + j]) * p.k[key + j];
      }
      sum += std::exp(score * static_cast<double>(p.shape.scale));
    }
    EXPECT_NEAR(lse[i], std::log(sum), 1e-5 * (1 + std::abs(std::log(sum)))) << i;
  }
}

TEST(Attention, LongContext) { check({4, 2, 16, 0.25F}, 1500, 2, 1); }

TEST(Attention, LargeScoresDoNotOverflow) {
  const Problem p = problem({2, 1, 32, 1.0F}, 9, 2, 300);
  std::vector<float> got(p.q.size(), -1);
  attention(p.rows, p.q.data(), p.k.data(), p.v.data(), p.shape, got.data());
  EXPECT_LT(tests::relative_l2(got, plain<double>(p)), 1e-5);
}

}  // namespace
}  // namespace expunge::tensor::kernels
