// The packed pass against the plain one, and its different paths against each other.
#include "model/forward.h"

#include <gtest/gtest.h>

#include "golden.h"
#include "tiny.h"

namespace expunge::model {
namespace {

using tests::floats;
using Ids = std::vector<int32_t>;

// Two orders of the same float32 sums through three layers.
constexpr double kRounding = 2e-6;
void expect_same(const Tensor& got, const Tensor& want) {
  EXPECT_LT(tests::relative_l2(floats(got), floats(want)), kRounding);
}

Ids prompt(int length, int seed) {
  Ids ids;
  for (int i = 0; i < length; ++i) ids.push_back((seed * 17 + i * i * 5 + i) % 64);
  return ids;
}

class Paths : public testing::Test {
 protected:
  Tensor plain(const Ids& ids, const Hook& hook = {}) {
    const c10::InferenceMode no_grad;
    return forward_plain(*model_, ids, hook);
  }
  Tensor packed(const Ids& ids, const Hook& hook = {}, int64_t last_layer = -1) {
    Sequence s;
    const Chunk chunk{&s, ids};
    const Tensor y = runner_.forward({&chunk, 1}, hook, last_layer);
    runner_.pool().truncate(s, 0);
    return y;
  }
  std::shared_ptr<const Model> model_ = tests::random_model(5);
  Runner runner_{*model_};
};

TEST_F(Paths, PackedEqualsPlain) {
  for (const int length : {1, 2, 4, 5, 31, 32, 33, 63}) {
    const Ids ids = prompt(length, length);
    const Tensor got = packed(ids), want = plain(ids);
    expect_same(got, want);
    expect_same(runner_.logits(got), plain_logits(*model_, want));
  }
}

TEST_F(Paths, TokenByTokenEqualsOnePass) {
  const Ids ids = prompt(33, 2);
  const Tensor whole = packed(ids);
  Sequence s;
  std::vector<Tensor> rows;
  for (const int32_t& id : ids) {
    const Chunk chunk{&s, {&id, 1}};
    rows.push_back(runner_.forward({&chunk, 1}));
  }
  expect_same(at::cat(rows), whole);
}

TEST_F(Paths, UnevenPiecesEqualOnePass) {
  const Ids ids = prompt(33, 3);
  Sequence s;
  std::vector<Tensor> rows;
  size_t at = 0;
  for (const size_t n : {1, 7, 2, 20, 3}) {
    const Chunk chunk{&s, std::span(ids).subspan(at, n)};
    rows.push_back(runner_.forward({&chunk, 1}));
    at += n;
  }
  expect_same(at::cat(rows), packed(ids));
}

// Sequences of all lengths in one pass, some continuing, some new; the pool grows meanwhile.
TEST_F(Paths, BatchedEqualsSingle) {
  std::vector<Ids> prompts;
  for (const int length : {1, 31, 5, 60, 33, 2}) prompts.push_back(prompt(length, length));
  std::vector<Sequence> sequences(prompts.size());
  std::vector<Chunk> first, second;
  for (size_t i = 0; i < prompts.size(); ++i) {
    const size_t half = prompts[i].size() / 2;
    if (half > 0) first.push_back({&sequences[i], std::span(prompts[i]).first(half)});
    second.push_back({&sequences[i], std::span(prompts[i]).subspan(half)});
  }
  runner_.forward(first);
  const Tensor got = runner_.forward(second);
  int64_t row = 0;
  for (const Ids& ids : prompts) {
    const auto half = static_cast<int64_t>(ids.size() / 2), n = static_cast<int64_t>(ids.size());
    expect_same(got.narrow(0, row, n - half), plain(ids).narrow(0, half, n - half));
    row += n - half;
  }
}

TEST_F(Paths, ForksShareTheirPrefixAndGiveBackTheirOwnSlots) {
  const Ids prefix = prompt(20, 1);
  Sequence base;
  const Chunk chunk{&base, prefix};
  runner_.forward({&chunk, 1});
  for (int round = 0; round < 3; ++round) {
    const Ids a = prompt(5, 2 + round), b = prompt(9, 7 + round);
    Sequence fa = KvPool::fork(base), fb = KvPool::fork(base);
    const std::vector<Chunk> chunks = {{&fa, a}, {&fb, b}};
    const Tensor got = runner_.forward(chunks);
    Ids whole_a = prefix, whole_b = prefix;
    whole_a.insert(whole_a.end(), a.begin(), a.end());
    whole_b.insert(whole_b.end(), b.begin(), b.end());
    expect_same(got.narrow(0, 0, 5), plain(whole_a).narrow(0, 20, 5));
    expect_same(got.narrow(0, 5, 9), plain(whole_b).narrow(0, 20, 9));
    runner_.pool().truncate(fa, fa.n_shared);
    runner_.pool().truncate(fb, fb.n_shared);
    EXPECT_THROW(runner_.pool().truncate(fa, 3), base::Bug);  // not its slots
  }
}

TEST_F(Paths, TruncatedSequencesGoOnAnew) {
  const Ids ids = prompt(30, 4), other = prompt(12, 9);
  Sequence s;
  const Chunk first{&s, ids};
  runner_.forward({&first, 1});
  runner_.pool().truncate(s, 10);
  const Chunk second{&s, other};
  const Tensor got = runner_.forward({&second, 1});
  Ids whole(ids.begin(), ids.begin() + 10);
  whole.insert(whole.end(), other.begin(), other.end());
  expect_same(got, plain(whole).narrow(0, 10, 12));
}

TEST_F(Paths, ResumeAtEveryLayerEqualsForward) {
  const Ids a = prompt(9, 1), b = prompt(14, 2);
  for (int64_t layer = 1; layer < 3; ++layer) {
    Sequence sa, sb;
    const std::vector<Chunk> chunks = {{&sa, a}, {&sb, b}};
    Tensor entering;
    const Tensor want = runner_.forward(chunks, [&](Point point, int64_t l, Tensor value) {
      if (point == Point::kBlockOutput && l == layer - 1) entering = value.clone();
      return value;
    });
    const Tensor got = runner_.resume(chunks, layer, entering);
    EXPECT_TRUE(at::equal(got, want)) << layer;
    // A view with other strides is the same input.
    const Tensor strided = at::cat({entering, entering}, 1).narrow(1, 0, entering.size(1));
    ASSERT_FALSE(strided.is_contiguous());
    EXPECT_TRUE(at::equal(runner_.resume(chunks, layer, strided), want));
  }
}

TEST_F(Paths, PlainTailEqualsTheWholePass) {
  const Ids ids = prompt(11, 6);
  Tensor entering;
  const Tensor want = plain(ids, [&](Point point, int64_t layer, Tensor value) {
    if (point == Point::kBlockOutput && layer == 0) entering = value;
    return value;
  });
  const c10::InferenceMode no_grad;
  EXPECT_TRUE(at::equal(plain_tail(*model_, entering, 1), want));
}

TEST_F(Paths, LastLayerReturnsTheResidualStream) {
  const Ids ids = prompt(11, 6);
  for (int64_t last = 0; last < 3; ++last) {
    Tensor want;
    plain(ids, [&](Point point, int64_t layer, Tensor value) {
      if (point == Point::kBlockOutput && layer == last) want = value;
      return value;
    });
    expect_same(packed(ids, {}, last), want);
  }
}

// A hook that replaces a value has the same effect in both passes, whatever its strides.
TEST_F(Paths, HooksReplaceValuesAlike) {
  const Ids ids = prompt(10, 8);
  for (const Point where :
       {Point::kMlpInput, Point::kDownInput, Point::kMlpOutput, Point::kBlockOutput}) {
    const Hook hook = [where](Point point, int64_t layer, Tensor value) {
      if (point != where || layer != 1) return value;
      return at::cat({value * 0.5 + 0.25, value}, 1).narrow(1, 0, value.size(1));
    };
    const Tensor got = packed(ids, hook);
    expect_same(got, plain(ids, hook));
    EXPECT_GT(tests::relative_l2(floats(got), floats(packed(ids))), 1e-3);
  }
}

// A causal model: what comes later changes nothing before it.
TEST_F(Paths, LaterTokensDoNotReachEarlierRows) {
  Ids ids = prompt(20, 1);
  const Tensor before = packed(ids);
  ids[15] = (ids[15] + 1) % 64;
  const Tensor after = packed(ids);
  EXPECT_TRUE(at::equal(before.narrow(0, 0, 15), after.narrow(0, 0, 15)));
  EXPECT_FALSE(at::equal(before.narrow(0, 15, 1), after.narrow(0, 15, 1)));
}

TEST_F(Paths, EditedWeightsAreUsedByBothPasses) {
  const Ids ids = prompt(3, 1);  // few rows: the decode kernels
  const Tensor before = packed(ids);
  const std::string name = "model.layers.1.mlp.down_proj.weight";
  const Model edited = model_->with({{name, model_->param(name).value() * -1}});
  Runner runner(edited);
  Sequence s;
  const Chunk chunk{&s, ids};
  const Tensor after = runner.forward({&chunk, 1});
  const c10::InferenceMode no_grad;
  expect_same(after, forward_plain(edited, ids));
  EXPECT_GT(tests::relative_l2(floats(after), floats(before)), 1e-3);
  expect_same(packed(ids), before);
}

}  // namespace
}  // namespace expunge::model
