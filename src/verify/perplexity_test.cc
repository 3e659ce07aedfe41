// Windows, packed and in blocks, against the plain pass of one window after the other.
#include "verify/perplexity.h"

#include <gmock/gmock.h>

#include <limits>

#include "tiny.h"

namespace expunge::verify {
namespace {

using ::testing::HasSubstr;
using tests::Ids;

Ids random_ids(size_t n) {
  std::mt19937_64 rng(11);
  Ids ids;
  for (size_t i = 0; i < n; ++i) ids.push_back(static_cast<int32_t>(rng() % 64));
  return ids;
}

// The loss of ids[t] given ids[begin, t).
double plain_loss(const model::Model& model, const Ids& ids, size_t begin, size_t t) {
  return -tests::log_prob(model,
                          Ids(ids.begin() + static_cast<std::ptrdiff_t>(begin),
                              ids.begin() + static_cast<std::ptrdiff_t>(t)),
                          ids[t]);
}

TEST(Perplexity, OfWindowsThatDoNotOverlap) {
  const auto model = tests::random_model(2);
  const Ids ids = random_ids(71);  // 7 windows of 10 and one token, which has no context
  double total = 0;
  for (size_t t = 0; t < 70; ++t)
    if (t % 10 != 0) total += plain_loss(*model, ids, t / 10 * 10, t);
  PerplexityOptions options;
  options.context = 10;
  const auto result = perplexity(*model, ids, options).value();
  EXPECT_EQ(result.n_tokens, 63);
  EXPECT_EQ(result.windows.size(), 7);
  EXPECT_NEAR(result.nll, total / 63, 1e-5);  // float32 logits of size 1
  EXPECT_DOUBLE_EQ(result.ppl, std::exp(result.nll));
}

TEST(Perplexity, WithAStrideEveryTokenButTheFirstIsScoredOnce) {
  const auto model = tests::random_model(2);
  const Ids ids = random_ids(43);
  for (const size_t stride : {1, 3, 4, 9}) {
    // Token t belongs to the first window that reaches it.
    double total = 0;
    for (size_t t = 1; t < ids.size(); ++t) {
      const size_t window = t < 10 ? 0 : (t - 10) / stride + 1;
      total += plain_loss(*model, ids, window * stride, t);
    }
    PerplexityOptions options;
    options.context = 10;
    options.stride = static_cast<int64_t>(stride);
    const auto result = perplexity(*model, ids, options).value();
    EXPECT_EQ(result.n_tokens, 42) << stride;
    EXPECT_NEAR(result.nll, total / 42, 1e-5) << stride;
  }
}

TEST(Perplexity, BlocksAddUp) {
  const auto model = tests::random_model(2);
  const Ids ids = random_ids(20'000);  // three blocks of the greatest window
  size_t calls = 0, last = 0;
  PerplexityOptions options;
  const base::Job job([&](std::string_view, size_t done, size_t total) {
    ++calls;
    EXPECT_GT(done, last);
    EXPECT_EQ(total, ids.size());
    last = done;
  });
  const auto whole = perplexity(*model, ids, options, {}, job).value();
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(last, ids.size());
  EXPECT_EQ(whole.windows.size(), (20'000 + 62) / 63);
  EXPECT_EQ(whole.n_tokens, 20'000 - static_cast<int64_t>(whole.windows.size()));
  // The first 6300 tokens and the rest.
  options.limit_tokens = 6300;
  const auto head = perplexity(*model, ids, options).value();
  options.limit_tokens = 0;
  const auto tail = perplexity(*model, std::span(ids).subspan(6300), options).value();
  EXPECT_EQ(head.n_tokens, 6200);
  EXPECT_NEAR(whole.nll * static_cast<double>(whole.n_tokens),
              head.nll * 6200 + tail.nll * static_cast<double>(tail.n_tokens), 1e-2);
}

TEST(Perplexity, RefusesWhatItCannotScore) {
  const auto model = tests::random_model(2);
  const Ids ids = random_ids(5);
  const auto message = [&](PerplexityOptions options, std::span<const int32_t> text) {
    return perplexity(*model, text, options).error().message;
  };
  EXPECT_THAT(message({.context = 64}, ids), HasSubstr("window of 64 tokens, expected 2 to 63"));
  EXPECT_THAT(message({.context = 1}, ids), HasSubstr("window of 1 tokens"));
  EXPECT_THAT(message({.context = 4, .stride = 5}, ids), HasSubstr("stride of 5"));
  EXPECT_THAT(message({.limit_tokens = -1}, ids), HasSubstr("limit of -1"));
  EXPECT_THAT(message({.limit_tokens = 1}, ids), HasSubstr("a text of 1 tokens"));
  EXPECT_THAT(message({}, Ids{1, 64}), HasSubstr("outside the vocabulary"));
}

TEST(Perplexity, SharesMakeTheWhole) {
  const auto model = tests::random_model(2);
  const Ids ids = random_ids(71);  // 7 windows that are scored
  PerplexityOptions options;
  options.context = 10;
  const auto whole = perplexity(*model, ids, options).value();
  std::vector<WindowRecord> all;
  for (const size_t rank : {0, 1}) {
    options.shard = {rank, 2};
    const auto part = perplexity(*model, ids, options).value().windows;
    EXPECT_EQ(part.size(), rank == 0 ? 4 : 3);
    all.insert(all.end(), part.begin(), part.end());
  }
  options.shard = {};
  options.keep = [](auto) -> base::Status { return base::fail(base::Code::kInternal, "work"); };
  const auto joined = perplexity(*model, ids, options, all).value();  // figures only
  EXPECT_NEAR(joined.nll, whole.nll, 1e-6);
  EXPECT_EQ(joined.n_tokens, whole.n_tokens);
}

// The first block is stored, then comes a Ctrl+C.
TEST(Perplexity, GoesOnWhereItStopped) {
  const auto model = tests::random_model(2);
  const Ids ids = random_ids(20'000);
  PerplexityOptions options;
  options.stride = 60;
  const auto whole = perplexity(*model, ids, options).value();
  base::Json kept;
  const base::Job job;
  options.keep = [&](std::span<const WindowRecord> records) -> base::Status {
    kept = window_records_to_json(records);
    job.cancel();
    return {};
  };
  EXPECT_EQ(perplexity(*model, ids, options, {}, job).error().code, base::Code::kCancelled);
  // As read from a file; a mark in it is not overwritten.
  kept = base::parse_json(base::dump_json(kept), "kept").value();
  const size_t n = kept["windows"].size();
  EXPECT_GT(n, 100);
  EXPECT_LT(n, whole.windows.size());
  size_t n_done = 0;
  options.keep = [&](std::span<const WindowRecord> records) -> base::Status {
    n_done = records.size();
    return {};
  };
  const auto rest =
      perplexity(*model, ids, options, window_records_from_json(kept, "kept").value()).value();
  EXPECT_EQ(n_done, whole.windows.size());
  EXPECT_EQ(to_json(figures_of(rest)), to_json(figures_of(whole)));
  EXPECT_EQ(window_records_to_json(rest.windows), window_records_to_json(whole.windows));
  kept["windows"]["0"]["avg_loss"] = 42;
  EXPECT_GT(
      perplexity(*model, ids, options, window_records_from_json(kept, "kept").value()).value().nll,
      whole.nll);
}

TEST(Perplexity, RecordsOfAFileAreChecked) {
  const auto message = [](const char* json) {
    return window_records_from_json(base::Json::parse(json), "f").error().message;
  };
  EXPECT_THAT(message(R"({"windows": {"x": {}}})"), HasSubstr("row number"));
  EXPECT_THAT(message(R"({"windows": {"0": {"n_tokens": 1}}})"),
              HasSubstr("f: windows: row 0: 'avg_loss' is missing"));
  EXPECT_THAT(message(R"({"windows": {"0": {"avg_loss": 1, "n_tokens": 0}}})"),
              HasSubstr("whole number > 0"));
}

TEST(Perplexity, AsJson) {
  const Perplexity result{2, 0.5, 3, {{0, 0.5, 3}}};
  EXPECT_EQ(base::dump_json(to_json(figures_of(result))["summary"]),
            R"({"ppl":2.0,"nll":0.5,"n_tokens":3,"n_windows":1})");
  EXPECT_EQ(base::dump_json(window_records_to_json(result.windows)),
            R"({"windows":{"0":{"avg_loss":0.5,"n_tokens":3}}})");
  const base::Json collapsed =
      to_json(figures_of({std::numeric_limits<double>::infinity(), 800, 3, {}}));
  EXPECT_FALSE(collapsed["summary"].contains("ppl"));
  EXPECT_EQ(collapsed["absent"]["ppl"], "exp(800) is beyond float64");
}

}  // namespace
}  // namespace expunge::verify
