// The backward kernels against LibTorch's derivatives of the plain definitions in float64.
#include "tensor/kernels/attention.h"
#include "tensor/kernels/kernel_test.h"
#include "tensor/kernels/pool.h"
#include "tensor/kernels/rope_norm.h"
#include "tensor/tensor.h"

namespace expunge::tensor::kernels {
namespace {

Tensor random(std::mt19937_64& rng, at::IntArrayRef shape, double magnitude = 1) {
  const Tensor t = at::empty(shape, f32());
  const auto values = random_floats(rng, static_cast<size_t>(t.numel()), magnitude);
  std::ranges::copy(values, t.data_ptr<float>());
  return t;
}
Tensor leaf(const Tensor& t, at::ScalarType type) {
  return t.detach().to(type).clone().requires_grad_();
}
std::vector<float> floats(const Tensor& t) {
  const Tensor f = t.detach().to(at::kFloat).contiguous();
  return {f.data_ptr<float>(), f.data_ptr<float>() + f.numel()};
}
std::vector<double> doubles(const Tensor& t) {
  const Tensor f = t.detach().contiguous();
  return {f.data_ptr<double>(), f.data_ptr<double>() + f.numel()};
}
// `plain` gives the gradients in float32 and float64 for a type.
template <class F>
void check(const std::vector<Tensor>& got, const F& plain, const std::string& where) {
  const std::vector<Tensor> f32_ = plain(at::kFloat), f64 = plain(at::kDouble);
  for (size_t i = 0; i < got.size(); ++i)
    expect_at_floor(floats(got[i]), floats(f32_[i]), doubles(f64[i]),
                    fmt::format("{}, gradient {}", where, i));
}

struct Case {
  AttentionShape shape;
  std::vector<std::vector<int32_t>> lists;
  std::vector<AttentionRow> rows;
  int64_t slots;
};

void check(const Case& c, double magnitude, const std::string& where) {
  std::mt19937_64 rng(7);
  const AttentionShape& s = c.shape;
  const auto n = static_cast<int64_t>(c.rows.size());
  const Tensor q = random(rng, {n, s.n_heads, s.head_dim}, magnitude);
  const Tensor k = random(rng, {c.slots, s.n_kv_heads, s.head_dim}, magnitude);
  const Tensor v = random(rng, {c.slots, s.n_kv_heads, s.head_dim}, magnitude);
  const Tensor dout = random(rng, {n, s.n_heads, s.head_dim});
  const Tensor out = at::empty_like(q), lse = at::empty({n, s.n_heads}, f32());
  const auto at = [](const Tensor& t) { return t.data_ptr<float>(); };
  attention(c.rows, at(q), at(k), at(v), s, at(out), at(lse));
  const auto run = [&](int threads) {
    const CallerThreads limit(threads);
    std::vector<Tensor> g = {at::empty_like(q), at::empty_like(k), at::empty_like(v)};
    attention_backward(c.rows, at(q), at(k), at(v), s, at(out), at(lse), at(dout), c.slots,
                       {at(g[0]), at(g[1]), at(g[2])});
    return g;
  };
  const std::vector<Tensor> got = run(2), alone = run(1);
  for (size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(at::equal(got[i], alone[i])) << where;
  const int64_t group = s.n_heads / s.n_kv_heads;
  const auto plain = [&](at::ScalarType type) {
    const Tensor a = leaf(q, type), b = leaf(k, type), e = leaf(v, type);
    Tensor loss = at::zeros({}, at::TensorOptions(type));
    for (int64_t r = 0; r < n; ++r) {
      const AttentionRow& row = c.rows[static_cast<size_t>(r)];
      const Tensor seen = at::tensor(at::ArrayRef<int32_t>(
          row.slots + row.n_hidden, static_cast<size_t>(row.n_visible - row.n_hidden)));
      const auto expand = [&](const Tensor& pool) {  // [N,T,K]
        return pool.index_select(0, seen).repeat_interleave(group, 1).transpose(0, 1);
      };
      const Tensor scores = at::matmul(expand(b), a[r].unsqueeze(-1)).squeeze(-1) * s.scale;
      const Tensor y = at::matmul(scores.softmax(-1).unsqueeze(1), expand(e)).squeeze(1);
      loss = loss + (y * dout[r].to(type)).sum();
    }
    loss.backward();
    return std::vector<Tensor>{a.grad(), b.grad(), e.grad()};
  };
  check(got, plain, where);
}

// `n_lists` lists with a common beginning; only each list's last rows are queries.
Case lists(AttentionShape shape, int32_t n_lists, int32_t shared, int32_t own) {
  Case c{shape, {}, {}, shared + n_lists * own + 1};
  for (int32_t l = 0; l < n_lists; ++l) {
    c.lists.emplace_back();
    for (int32_t t = 0; t < shared; ++t) c.lists.back().push_back(t);
    for (int32_t t = 0; t < own; ++t) c.lists.back().push_back(shared + l * own + t);
  }
  for (int32_t l = 0; l < n_lists; ++l)
    for (int32_t t = l == 0 ? 0 : shared; t < shared + own; ++t)
      c.rows.push_back({c.lists[static_cast<size_t>(l)].data(), t + 1});
  return c;
}

TEST(AttentionBackward, EqualsTheDerivativeOverOddShapes) {
  for (const int64_t head_dim : {1, 31, 33, 64})
    for (const int32_t own : {2, 33, 150})
      check(lists({6, 2, head_dim, 0.2F}, 1, 0, own), 1, fmt::format("K {} T {}", head_dim, own));
}

TEST(AttentionBackward, HoldsForEveryHeadGrouping) {
  for (const auto& [heads, kv] : {std::pair<int64_t, int64_t>{1, 1}, {3, 3}, {9, 3}, {8, 1}})
    check(lists({heads, kv, 32, 0.2F}, 1, 0, 40), 1, fmt::format("heads {} of {}", heads, kv));
}

TEST(AttentionBackward, HoldsWhereListsBeginAlike) {
  for (const int32_t shared : {1, 31, 40, 140})
    for (const int32_t own : {1, 9})
      check(lists({6, 2, 32, 0.2F}, 6, shared, own), 1, fmt::format("{} and {}", shared, own));
}

TEST(AttentionBackward, HoldsUnderWindows) {
  for (const int32_t window : {2, 5, 33})
    for (const int32_t shared : {0, 40}) {
      Case c = lists({6, 2, 32, 0.2F}, shared == 0 ? 1 : 4, shared, 60);
      for (AttentionRow& row : c.rows) row.n_hidden = std::max(0, row.n_visible - window);
      check(c, 1, fmt::format("window {} shared {}", window, shared));
    }
}

TEST(AttentionBackward, HoldsOverMagnitudes) {
  for (const double magnitude : {1e-3, 4.0})
    check(lists({3, 1, 32, 0.2F}, 2, 20, 20), magnitude, fmt::format("{}", magnitude));
}

TEST(RmsNormBackward, EqualsTheDerivativeOverOddShapes) {
  std::mt19937_64 rng(3);
  for (const int64_t d : {1, 15, 17, 64, 577})
    for (const int64_t rows : {1, 70}) {
      const Tensor x = random(rng, {rows, d}), w = random(rng, {d}), dy = random(rng, {rows, d});
      std::vector<Tensor> got = {at::empty_like(x), at::ones({d}, f32())};
      rms_norm_backward(x.data_ptr<float>(), w.data_ptr<float>(), dy.data_ptr<float>(), rows, d,
                        1e-5F, got[0].data_ptr<float>(), got[1].data_ptr<float>());
      const auto plain = [&](at::ScalarType type) {
        const Tensor a = leaf(x, type), b = leaf(w, type);
        const Tensor y = a * at::rsqrt(a.square().mean(-1, true) + 1e-5) * b;
        ((y * dy.to(type)).sum() + b.sum()).backward();
        return std::vector<Tensor>{a.grad(), b.grad()};
      };
      // For one number the norm's derivative cancels except for what eps adds.
      if (d == 1) got.erase(got.begin());
      check(
          got,
          [&](at::ScalarType type) {
            std::vector<Tensor> g = plain(type);
            if (d == 1) g.erase(g.begin());
            return g;
          },
          fmt::format("D {} rows {}", d, rows));
    }
}

TEST(SwiGluBackward, EqualsTheDerivative) {
  std::mt19937_64 rng(4);
  for (const double magnitude : {1e-3, 3.0, 200.0}) {
    const Tensor gate = random(rng, {40001}, magnitude), up = random(rng, {40001});
    const Tensor dy = random(rng, {40001});
    const std::vector<Tensor> got = {at::empty_like(gate), at::empty_like(up)};
    swiglu_backward(gate.data_ptr<float>(), up.data_ptr<float>(), dy.data_ptr<float>(), 40001,
                    got[0].data_ptr<float>(), got[1].data_ptr<float>());
    const auto plain = [&](at::ScalarType type) {
      const Tensor a = leaf(gate, type), b = leaf(up, type);
      (at::silu(a) * b * dy.to(type)).sum().backward();
      return std::vector<Tensor>{a.grad(), b.grad()};
    };
    check(got, plain, fmt::format("magnitude {}", magnitude));
  }
}

}  // namespace
}  // namespace expunge::tensor::kernels
