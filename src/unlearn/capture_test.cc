// capture: forward_plain's taps at the wanted tokens, however the rows are batched.
#include "unlearn/capture.h"

#include <gmock/gmock.h>

#include "tiny.h"

namespace expunge::unlearn {
namespace {

using model::Point;
using tests::Ids;

constexpr Point kPoints[] = {Point::kMlpInput, Point::kDownInput, Point::kMlpOutput,
                             Point::kBlockOutput};

// The plain pass's values at a layer's point, one row per token.
Tensor plain(const model::Model& model, const Ids& ids, Point point, int64_t layer) {
  const c10::InferenceMode no_grad;
  Tensor found;
  model::forward_plain(model, ids, [&](Point at, int64_t l, Tensor value) {
    if (at == point && l == layer) found = value.clone();
    return value;
  });
  return found;
}

double distance(const Tensor& a, const Tensor& b) {
  return (a - b).norm().item<double>() / b.norm().item<double>();
}
// The two passes sum in different orders, in float32.
constexpr double kClose = 2e-6;

TEST(Capture, EqualsThePlainPass) {
  const auto model = tests::random_model(5);
  const std::vector<TokenSpan> rows{{{0, 2, 9, 3, 15, 1}, -1},
                                    {{0, 2, 9, 3, 15, 1}, 2},
                                    {{0, 2, 9, 3, 16, 1}, 4},
                                    {{0, 20, 4}, -2},
                                    {{0, 2, 9, 3, 15, 1, 40, 41}, 3, 4}};
  for (const Point point : kPoints)
    for (int64_t layer = 0; layer < 3; ++layer) {
      const Tensor got = capture(*model, rows, point, layer).value();
      ASSERT_EQ(got.size(0), 8);
      int64_t at = 0;
      for (const TokenSpan& row : rows) {
        const auto size = static_cast<int64_t>(row.ids.size());
        const int64_t first = row.position < 0 ? size + row.position : row.position;
        const Tensor expected = plain(*model, row.ids, point, layer).narrow(0, first, row.count);
        EXPECT_LT(distance(got.narrow(0, at, row.count), expected), kClose) << layer << " " << at;
        at += row.count;
      }
    }
}

TEST(Capture, AllLayersInOnePassEqualOneLayerAtATime) {
  const auto model = tests::random_model(5);
  const std::vector<TokenSpan> rows{{{0, 2, 9, 3, 15, 1}, -1}, {{0, 2, 8, 3, 14, 1}, 2, 3}};
  for (const Point point : kPoints) {
    const auto layers = capture_layers(*model, rows, point).value();
    ASSERT_EQ(layers.size(), 3U);
    for (int64_t layer = 0; layer < 3; ++layer)
      EXPECT_TRUE(at::equal(layers[static_cast<size_t>(layer)],
                            capture(*model, rows, point, layer).value()));
  }
}

// A shared beginning, several passes (more than 1024 tokens) and other prompts change no row.
TEST(Capture, BatchingDoesNotMatter) {
  const auto model = tests::random_model(5);
  std::mt19937_64 rng(7);
  std::vector<TokenSpan> rows;
  for (int i = 0; i < 60; ++i) {
    Ids ids{0, 2, 9, 3};  // shared
    const size_t length = 10 + rng() % 30;
    while (ids.size() < length) ids.push_back(static_cast<int32_t>(rng() % 64));
    rows.push_back({ids, static_cast<int64_t>(4 + rng() % (length - 4))});
  }
  const Tensor together = capture(*model, rows, Point::kDownInput, 2).value();
  std::vector<TokenSpan> mixed = rows;
  mixed.push_back({{5, 6, 7}, 0});  // nothing is shared any more
  const Tensor unshared = capture(*model, mixed, Point::kDownInput, 2).value();
  EXPECT_LT(distance(unshared.narrow(0, 0, 60), together), kClose);
  for (int64_t i = 0; i < 60; ++i) {
    const Tensor alone =
        capture(*model, {&rows[static_cast<size_t>(i)], 1}, Point::kDownInput, 2).value();
    EXPECT_LT(distance(together.narrow(0, i, 1), alone), kClose) << i;
  }
}

TEST(Capture, PositionsInsideTheSharedBeginning) {
  const auto model = tests::random_model(5);
  const std::vector<TokenSpan> rows{{{0, 2, 9, 3, 15, 1}, 0}, {{0, 2, 9, 3, 16, 1}, 1}};
  const Tensor got = capture(*model, rows, Point::kMlpInput, 1).value();
  for (int64_t i = 0; i < 2; ++i)
    EXPECT_LT(
        distance(
            got.narrow(0, i, 1),
            plain(*model, rows[static_cast<size_t>(i)].ids, Point::kMlpInput, 1).narrow(0, i, 1)),
        kClose);
}

TEST(Capture, BadRowsAreErrors) {
  const auto model = tests::random_model(5);
  const auto code = [&](std::vector<TokenSpan> rows) {
    const auto got = capture(*model, rows, Point::kMlpInput, 1);
    return got ? base::Code::kInternal : got.error().code;
  };
  EXPECT_EQ(code({}), base::Code::kInvalid);
  EXPECT_EQ(code({{{}, -1}}), base::Code::kInvalid);
  EXPECT_NE(code({{{0, 64}, -1}}), base::Code::kInternal);  // outside the vocabulary
  EXPECT_THROW(code({{{0, 2, 3}, 3}}), base::Bug);
  EXPECT_THROW(code({{{0, 2, 3}, -4}}), base::Bug);
  EXPECT_THROW(code({{{0, 2, 3}, 1, 3}}), base::Bug);
  EXPECT_THROW(code({{{0, 2, 3}, 1, 0}}), base::Bug);
}

TEST(Capture, CanBeCancelled) {
  const auto model = tests::random_model(5);
  const std::vector<TokenSpan> rows{{{0, 2, 3}, -1}};
  const base::Job job;
  job.cancel();
  const auto got = capture(*model, rows, Point::kMlpInput, 1, job);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, base::Code::kCancelled);
}

}  // namespace
}  // namespace expunge::unlearn
