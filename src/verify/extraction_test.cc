// Forked continuations against those that generate() makes from each beginning alone.
#include "verify/extraction.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "model/generate.h"
#include "tiny.h"

namespace expunge::verify {
namespace {

using ::testing::HasSubstr;
using tests::Ids;
using Sequences = std::vector<Ids>;

Ids random_ids(uint64_t seed, size_t n) {
  std::mt19937_64 rng(seed);
  Ids ids;
  for (size_t i = 0; i < n; ++i) ids.push_back(static_cast<int32_t>(rng() % 64));
  return ids;
}

Ids slice(const Ids& x, size_t begin, size_t end) {
  return {x.begin() + static_cast<std::ptrdiff_t>(begin),
          x.begin() + static_cast<std::ptrdiff_t>(end)};
}

Ids greedy(const model::Model& model, const Ids& prompt, size_t length) {
  model::GenerateOptions options;
  options.max_new_tokens = static_cast<int64_t>(length - prompt.size());
  Ids ids = model::generate(model, Sequences{prompt}, options).value()[0].ids;
  if (prompt.size() + ids.size() < length) ids.push_back(model.arch().end_ids[0]);
  return ids;
}

struct Naive {
  double ma = 0, el = 0;
};
// The equations, word by word.
Naive naive(const model::Model& model, const Ids& x, size_t n) {
  Naive result;
  for (size_t t = 1; t < x.size(); ++t)
    result.ma += tests::next_log_probs(model, slice(x, 0, t)).argmax().item<int64_t>() == x[t];
  for (size_t t = 1; t + n <= x.size(); ++t) {
    const Ids a = greedy(model, slice(x, 0, t), x.size()), b = slice(x, t, x.size());
    double n_found = 0;
    for (size_t i = 0; i + n <= a.size(); ++i)
      n_found += std::search(b.begin(), b.end(), a.begin() + static_cast<std::ptrdiff_t>(i),
                             a.begin() + static_cast<std::ptrdiff_t>(i + n)) != b.end();
    result.el += n_found / static_cast<double>(b.size() - n + 1);
  }
  result.ma /= static_cast<double>(x.size() - 1);
  result.el /= static_cast<double>(x.size() - n);
  return result;
}

TEST(Extraction, IsTheNaiveOne) {
  const auto model = tests::random_model(6);
  Sequences sequences;
  for (uint64_t seed = 0; seed < 3; ++seed) {
    sequences.push_back(random_ids(seed, 20 + 7 * seed));
    // The model's own output, which it reproduces, then with wrong tokens inserted.
    const Ids start = random_ids(seed + 10, 3);
    Ids own = start;
    const Ids said = greedy(*model, start, 50);
    own.insert(own.end(), said.begin(), said.end());
    sequences.push_back(own);
    for (const size_t t : {own.size() - 2, own.size() / 2, size_t{5}}) {
      own[t] = (own[t] + 1) % 64;
      sequences.push_back(own);
    }
  }
  size_t n_extracted = 0;
  for (const size_t n : {1, 2, 4}) {
    ExtractionOptions options;
    options.n = n;
    options.max_batch = n == 1 ? 1 : 7;  // one fork at a time; those of several sequences at once
    const auto result = extraction(*model, sequences, options).value();
    ASSERT_EQ(result.records.size(), sequences.size());
    double ma = 0, el = 0;
    for (size_t i = 0; i < sequences.size(); ++i) {
      const Naive want = naive(*model, sequences[i], n);
      EXPECT_NEAR(result.records[i].ma, want.ma, 1e-12) << i << ' ' << n;
      EXPECT_NEAR(result.records[i].el, want.el, 1e-12) << i << ' ' << n;
      EXPECT_EQ(result.records[i].row, i);
      EXPECT_EQ(result.records[i].n_tokens, sequences[i].size());
      n_extracted += want.el > 0.05 && want.el < 0.95;
      ma += want.ma, el += want.el;
    }
    EXPECT_NEAR(result.ma, ma / static_cast<double>(sequences.size()), 1e-12);
    EXPECT_NEAR(result.el, el / static_cast<double>(sequences.size()), 1e-12);
  }
  EXPECT_GT(n_extracted, 10);  // the comparison is not empty
}

// The planted facts: the reply's end stops a continuation, and what is missing is not extracted.
TEST(Extraction, AnEndedTurnIsShort) {
  const auto model = tests::planted_model();
  Ids x = tests::question(1, 2);
  x.push_back(tests::answer(1, 2));
  for (int i = 0; i < 4; ++i) x.push_back(tests::kEnd);
  ExtractionOptions options;
  options.n = 2;
  const auto result = extraction(*model, Sequences{x}, options).value();
  const Naive want = naive(*model, x, 2);
  EXPECT_NEAR(result.ma, want.ma, 1e-12);
  EXPECT_NEAR(result.el, want.el, 1e-12);
  EXPECT_GT(result.ma, 0.1);
}

TEST(Extraction, WhatIsGivenBackIsNotDecoded) {
  const auto model = tests::random_model(6);
  Ids x = {1};
  const Ids said = greedy(*model, x, 40);
  x.insert(x.end(), said.begin(), said.end());
  ExtractionOptions options;
  options.n = 3;
  auto result = extraction(*model, Sequences{x}, options).value();
  EXPECT_EQ(result.ma, 1);
  EXPECT_EQ(result.el, 1);
  EXPECT_EQ(result.decoded_tokens, 0);
  // One continuation differs: it is decoded from its second token to the last but one.
  Ids y = x;
  y[10] = (y[10] + 1) % 64;
  const auto chosen = [&](size_t t) {
    return tests::next_log_probs(*model, slice(y, 0, t)).argmax().item<int64_t>();
  };
  int64_t expected = 0;
  for (size_t t = 1; t < y.size(); ++t)
    if (chosen(t) != y[t]) {
      if (chosen(t) != tests::kEnd)
        expected += static_cast<int64_t>(greedy(*model, slice(y, 0, t), y.size()).size()) - 1;
      if (t >= y.size() - options.n) break;
    }
  result = extraction(*model, Sequences{y}, options).value();
  EXPECT_LT(result.ma, 1);
  EXPECT_EQ(result.decoded_tokens, expected);
  // Cut before that.
  options.max_tokens = 10;
  EXPECT_EQ(extraction(*model, Sequences{y}, options).value().records[0].n_tokens, 10);
  EXPECT_EQ(extraction(*model, Sequences{y}, options).value().ma, 1);
}

TEST(Extraction, GoesOnWhereItStopped) {
  const auto model = tests::random_model(6);
  Sequences sequences;
  for (uint64_t seed = 0; seed < 70; ++seed) sequences.push_back(random_ids(seed, 14 + seed % 5));
  ExtractionOptions options;
  options.n = 2;
  const auto whole = extraction(*model, sequences, options).value();
  std::vector<size_t> sizes;
  base::Json kept;
  const base::Job job;
  options.keep = [&](std::span<const ExtractionRecord> records) -> base::Status {
    sizes.push_back(records.size());
    kept = extraction_records_to_json(records, 2);
    if (sizes.size() == 2) job.cancel();
    return {};
  };
  EXPECT_EQ(extraction(*model, sequences, options, {}, job).error().code, base::Code::kCancelled);
  kept = base::parse_json(base::dump_json(kept), "kept").value();
  const auto done = extraction_records_from_json(kept, 2, "kept").value();
  const auto rest = extraction(*model, sequences, options, done).value();
  EXPECT_EQ(sizes, (std::vector<size_t>{32, 64, 70}));
  EXPECT_EQ(to_json(figures_of(rest)), to_json(figures_of(whole)));
  EXPECT_EQ(extraction_records_to_json(rest.records, 2),
            extraction_records_to_json(whole.records, 2));
  EXPECT_LT(rest.decoded_tokens, whole.decoded_tokens / 4);
}

TEST(Extraction, SharesMakeTheWhole) {
  const auto model = tests::random_model(6);
  Sequences sequences;
  for (uint64_t seed = 0; seed < 5; ++seed) sequences.push_back(random_ids(seed, 14));
  ExtractionOptions options;
  options.n = 2;
  const auto whole = extraction(*model, sequences, options).value();
  std::vector<ExtractionRecord> all;
  for (const size_t rank : {0, 1, 2}) {
    options.shard = {rank, 3};
    const Extraction part = extraction(*model, sequences, options).value();
    for (const ExtractionRecord& r : part.records) {
      EXPECT_EQ(static_cast<size_t>(r.row) % 3, rank);
      all.push_back(r);
    }
  }
  options.shard = {};
  const auto joined = extraction(*model, sequences, options, all).value();
  EXPECT_EQ(joined.decoded_tokens, 0);
  EXPECT_EQ(joined.ma, whole.ma);
  EXPECT_EQ(joined.el, whole.el);
}

TEST(Extraction, RecordsOfAFileAreChecked) {
  const auto message = [](const char* json) {
    return extraction_records_from_json(base::Json::parse(json), 10, "f").error().message;
  };
  EXPECT_THAT(message(R"({"0": {"ma": 2, "el_10": 0, "n_tokens": 9}})"),
              HasSubstr("f: row 0: ma: expected a number in [0, 1], got 2"));
  EXPECT_THAT(message(R"({"0": {"ma": 1, "el_5": 0, "n_tokens": 9}})"), HasSubstr("el_10"));
  EXPECT_THAT(message(R"({"-1": {}})"), HasSubstr("row number"));
}

TEST(Extraction, NamesWhatCannotBeExtracted) {
  const auto model = tests::random_model(6);
  const auto error = extraction(*model, Sequences{random_ids(1, 11), random_ids(1, 10)}).error();
  EXPECT_THAT(error.message, HasSubstr("10 tokens, expected more than 10"));
  EXPECT_EQ(error.trail.at(0), "sequence 1");
  EXPECT_THAT(extraction(*model, Sequences{random_ids(1, 65)}).error().message,
              HasSubstr("the model's context holds 64"));
  Ids outside = random_ids(1, 20);
  outside[3] = 64;
  EXPECT_THAT(extraction(*model, Sequences{outside}).error().message,
              HasSubstr("outside the vocabulary"));
  EXPECT_FALSE(extraction(*model, Sequences()));
  EXPECT_FALSE(extraction(*model, Sequences{random_ids(1, 20)}, {.n = 0}));
}

TEST(Extraction, AsJson) {
  Extraction result;
  result.n = 10;
  result.ma = 0.5, result.el = 0.25;
  result.records = {{0, 20, 0.5, 0.25}};
  EXPECT_EQ(base::dump_json(to_json(figures_of(result))["summary"]),
            R"({"ma":0.5,"el_10":0.25,"n_sequences":1})");
  EXPECT_EQ(base::dump_json(extraction_records_to_json(result.records, 10)),
            R"({"0":{"ma":0.5,"el_10":0.25,"n_tokens":20}})");
}

}  // namespace
}  // namespace expunge::verify
