// The scoring pass shares beginnings and packs; each item must come out as if it were alone.
#include "verify/score.h"

#include <gmock/gmock.h>

#include "tiny.h"

namespace expunge::verify {
namespace {

using tensor::Tensor;
using tests::Ids;

// One item by the plain pass and float64 softmax.
AnswerScore plain_score(const model::Model& model, const ScoreItem& item) {
  const c10::InferenceMode no_grad;
  const Tensor logits = model::plain_logits(model, model::forward_plain(model, item.ids));
  const Tensor logp = at::log_softmax(logits.to(at::kDouble), 1);
  AnswerScore s;
  for (size_t t = item.first; t < item.ids.size(); ++t) {
    const Tensor row = logp[static_cast<int64_t>(t) - 1], p = row.exp();
    s.logprobs.push_back(row[item.ids[t]].item<double>());
    s.greedy.push_back(row.argmax().item<int64_t>() == item.ids[t]);
    s.mean.push_back((p * row).sum().item<double>());
    s.variance.push_back((p * row * row).sum().item<double>() - s.mean.back() * s.mean.back());
    s.avg_loss -= s.logprobs.back();
  }
  s.n_tokens = static_cast<int64_t>(s.logprobs.size());
  if (s.n_tokens > 0) s.avg_loss /= static_cast<double>(s.n_tokens);
  return s;
}

void expect_equal(const AnswerScore& got, const AnswerScore& want, const std::string& where) {
  using ::testing::DoubleNear;
  using ::testing::Pointwise;
  EXPECT_EQ(got.n_tokens, want.n_tokens) << where;
  EXPECT_NEAR(got.avg_loss, want.avg_loss, 1e-5) << where;
  EXPECT_THAT(got.logprobs, Pointwise(DoubleNear(2e-5), want.logprobs)) << where;
  EXPECT_THAT(got.mean, Pointwise(DoubleNear(2e-5), want.mean)) << where;
  EXPECT_THAT(got.variance, Pointwise(DoubleNear(2e-4), want.variance)) << where;
  EXPECT_EQ(got.greedy, want.greedy) << where;
}

TEST(Score, PackedAndSharedIsEachItemAlone) {
  const auto model = tests::random_model(3);
  std::mt19937_64 rng(5);
  const auto random_ids = [&](size_t n) {
    Ids ids;
    for (size_t i = 0; i < n; ++i) ids.push_back(static_cast<int32_t>(rng() % 64));
    return ids;
  };
  const auto joined = [](Ids a, const Ids& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  };
  const Ids system = random_ids(12);
  std::vector<ScoreItem> items;
  for (int q = 0; q < 40; ++q) {  // above one pass's tokens
    const Ids prompt = joined(system, random_ids(3 + static_cast<size_t>(q) % 9));
    const Ids answer = random_ids(9);
    for (const size_t common :
         {0, 4, 8, 9}) {  // answers that begin alike, and one that is the same
      Ids own(answer.begin(), answer.begin() + static_cast<std::ptrdiff_t>(common));
      items.push_back({joined(prompt, joined(own, random_ids(9 - common))), prompt.size()});
    }
  }
  items.push_back(items[7]);                                 // twice
  items.push_back({joined(system, {5}), system.size()});     // only the last token is its own
  items.push_back({system, system.size()});                  // nothing to score
  items.push_back({items[0].ids, items[0].ids.size() - 1});  // another beginning of the answer
  const auto scores = score(*model, items).value();
  ASSERT_EQ(scores.size(), items.size());
  for (size_t i = 0; i < items.size(); ++i)
    expect_equal(scores[i], plain_score(*model, items[i]), fmt::format("item {}", i));
  // Without a beginning in common, and one item alone.
  std::vector<ScoreItem> apart;
  for (int i = 0; i < 5; ++i) apart.push_back({random_ids(20), 1});
  const auto alone = score(*model, apart).value();
  for (size_t i = 0; i < apart.size(); ++i) {
    expect_equal(alone[i], plain_score(*model, apart[i]), fmt::format("apart {}", i));
    expect_equal(score(*model, std::span(apart).subspan(i, 1)).value()[0], alone[i], "one");
  }
}

// A hidden token keeps its position and is seen by none: at the very beginning it only moves the
// others, which does not change rotary attention.
TEST(Score, AHiddenTokenIsSeenByNone) {
  const auto model = tests::random_model(4);
  const Ids rest = {9, 8, 12, 33, 40, 41};
  Ids with = rest;
  with.insert(with.begin(), 2);
  ScoreOptions options;
  options.hidden_id = 2;
  const ScoreItem hidden{with, 3}, plain{rest, 2};
  expect_equal(score(*model, {&hidden, 1}, options).value()[0],
               score(*model, {&plain, 1}).value()[0], "at the beginning");
  // In the middle its position stays: later tokens keep their distance, whatever the token.
  const auto after = [&](int32_t id) {
    const ScoreItem item{{9, 8, id, 33, 40, 41}, 4};
    ScoreOptions o;
    o.hidden_id = id;
    return score(*model, {&item, 1}, o).value()[0];
  };
  expect_equal(after(2), after(17), "in the middle");
  // It is not the same as leaving it out, nor as seeing it.
  const ScoreItem seen{{9, 8, 2, 33, 40, 41}, 4}, left_out{{9, 8, 33, 40, 41}, 3};
  EXPECT_GT(std::abs(after(2).avg_loss - score(*model, {&seen, 1}).value()[0].avg_loss), 1e-4);
  EXPECT_GT(std::abs(after(2).avg_loss - score(*model, {&left_out, 1}).value()[0].avg_loss), 1e-6);
  // Shared beginnings with hidden tokens in them.
  std::vector<ScoreItem> many;
  for (int32_t last = 20; last < 30; ++last)
    many.push_back({{1, 3, 2, 4, 5, 6, 2, 8, 9, 10, 11, last, 2, last}, 9});
  const auto packed = score(*model, many, options).value();
  for (size_t i = 0; i < many.size(); ++i)
    expect_equal(packed[i], score(*model, std::span(many).subspan(i, 1), options).value()[0],
                 fmt::format("many {}", i));
}

// Between two passes too, not only before the first.
TEST(Score, ACancelledJobEndsIt) {
  const auto model = tests::random_model(3);
  std::vector<ScoreItem> items(40, ScoreItem{Ids(60, 5), 1});
  for (size_t i = 0; i < items.size(); ++i) items[i].ids[0] = static_cast<int32_t>(i);
  const base::Job job;
  size_t passes = 0;
  const base::Job stopped = job.reporting([&](std::string_view, size_t, size_t) {
    ++passes;
    job.cancel();
  });
  EXPECT_EQ(score(*model, items, {}, stopped).error().code, base::Code::kCancelled);
  EXPECT_EQ(passes, 1);
}

TEST(Score, RefusesWhatCannotBeScored) {
  const auto model = tests::random_model(3);
  for (const ScoreItem& bad : {ScoreItem{{}, 1}, ScoreItem{{1, 2}, 0}, ScoreItem{{1, 2}, 3},
                               ScoreItem{{1, 64}, 1}, ScoreItem{{1, -1}, 1}})
    EXPECT_FALSE(score(*model, {&bad, 1}));
  EXPECT_TRUE(score(*model, {}).value().empty());
}

}  // namespace
}  // namespace expunge::verify
