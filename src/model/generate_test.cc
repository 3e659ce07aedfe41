#include "model/generate.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "tiny.h"

namespace expunge::model {
namespace {

using base::Code;
using Ids = std::vector<int32_t>;
using Prompts = std::vector<Ids>;

Prompts prompts() {
  Prompts p(7);
  int seed = 0;
  for (Ids& ids : p) {
    for (int i = 0; i < 10; ++i) ids.push_back((i * i * 3 + 1) % 64);  // shared
    for (int i = 0; i < 1 + seed * 4; ++i) ids.push_back((seed * 23 + i * i * 7 + i) % 64);
    ++seed;
  }
  return p;
}

GenerateOptions options(int64_t n) {
  GenerateOptions o;
  o.max_new_tokens = n;
  return o;
}

// The definition: the whole text again for every token.
Ids greedy_by_definition(const Model& model, Ids ids, int n) {
  const c10::InferenceMode no_grad;
  Ids fresh;
  for (int i = 0; i < n; ++i) {
    const Tensor logits = plain_logits(model, forward_plain(model, ids));
    const auto id = static_cast<int32_t>(logits[logits.size(0) - 1].argmax().item<int64_t>());
    if (std::ranges::find(model.arch().end_ids, id) != model.arch().end_ids.end()) break;
    ids.push_back(id);
    fresh.push_back(id);
  }
  return fresh;
}

TEST(Generate, GreedyEqualsItsDefinitionAloneBatchedAndRefilled) {
  const auto model = tests::random_model(11);
  const Prompts all = prompts();
  Prompts want;
  for (const Ids& p : all) want.push_back(greedy_by_definition(*model, p, 9));
  for (size_t i = 0; i < all.size(); ++i)
    EXPECT_EQ(generate(*model, {&all[i], 1}, options(9)).value()[0].ids, want[i]);
  for (const size_t batch : {1, 2, 3, 64})
    for (const size_t rows : {1, 16, 1024}) {
      GenerateOptions o = options(9);
      o.max_batch = batch, o.max_rows = rows;
      const auto got = generate(*model, all, o).value();
      for (size_t i = 0; i < all.size(); ++i)
        EXPECT_EQ(got[i].ids, want[i]) << "prompt " << i << " batch " << batch << " rows " << rows;
    }
}

TEST(Generate, StopsAtTheEndOfTurnWithoutGivingIt) {
  const Prompts one = {prompts()[2]};
  const Ids free = generate(*tests::random_model(11), one, options(12)).value()[0].ids;
  ASSERT_GE(free.size(), 4U);
  Arch config = tests::tiny_arch();
  config.end_ids = {63, free[3]};
  const Model model =
      Model::from_weights(config, tests::random_weights(tests::tiny_arch(), 11)).value();
  const Generation g = generate(model, one, options(12)).value()[0];
  EXPECT_EQ(g.stop, Stop::kEndOfTurn);
  const auto first = std::ranges::find(free, free[3]);  // it may come earlier, too
  EXPECT_EQ(g.ids, Ids(free.begin(), first));
}

TEST(Generate, StopsAtItsLengthTheContextAndTheCaller) {
  Arch config = tests::tiny_arch();
  config.end_ids = {};
  const auto model =
      tests::shared(Model::from_weights(config, tests::random_weights(config, 11)).value());
  const Prompts one = {Ids(60, 5)};
  const Generation full = generate(*model, one, options(100)).value()[0];
  EXPECT_EQ(full.ids.size(), 4U);  // the context has 64 tokens
  EXPECT_EQ(full.stop, Stop::kLength);
  const Generation single = generate(*model, one, options(1)).value()[0];
  EXPECT_EQ(single.ids.size(), 1U);
  const Prompts two = {Ids(5, 5), Ids(6, 5)};
  const auto stopped =
      generate(*model, two, options(9), {}, [](size_t index, std::span<const int32_t> ids) {
        return index == 0 && ids.size() == 3 ? Next::kStop : Next::kGoOn;
      }).value();
  EXPECT_EQ(stopped[0].ids.size(), 3U);
  EXPECT_EQ(stopped[0].stop, Stop::kCaller);
  EXPECT_EQ(stopped[1].ids.size(), 9U);
}

TEST(Generate, BadRequestsAreErrors) {
  const auto model = tests::random_model(1);
  const auto code = [&](const Ids& prompt, GenerateOptions o = options(4)) {
    const Prompts p = {{1, 2}, prompt};
    const auto result = generate(*model, p, o);
    return result ? Code::kInternal : result.error().code;
  };
  EXPECT_EQ(code({}), Code::kInvalid);
  EXPECT_EQ(code({64}), Code::kInvalid);
  EXPECT_EQ(code({-1}), Code::kInvalid);
  EXPECT_EQ(code(Ids(64, 1)), Code::kInvalid);
  EXPECT_EQ(code({1}, options(0)), Code::kUsage);
  GenerateOptions o = options(4);
  o.max_batch = 0;
  EXPECT_EQ(code({1}, o), Code::kUsage);
  for (const auto& set : std::vector<void (*)(Sampling&)>{
           [](Sampling& s) { s.temperature = -1; }, [](Sampling& s) { s.temperature = NAN; },
           [](Sampling& s) { s.top_k = -1; }, [](Sampling& s) { s.top_p = 0; },
           [](Sampling& s) { s.top_p = 1.5; }, [](Sampling& s) { s.min_p = 1; },
           [](Sampling& s) { s.repetition_penalty = 0; }}) {
    GenerateOptions bad = options(4);
    set(bad.sampling);
    EXPECT_EQ(code({1}, bad), Code::kUsage);
  }
  EXPECT_TRUE(generate(*model, {}, options(4)).value().empty());
}

TEST(Generate, CancelsBetweenTokens) {
  const Prompts one = {{1, 2, 3}};
  const base::Job job;
  size_t n_tokens = 0;
  const auto result = generate(*tests::random_model(1), one, options(50), job,
                               [&](size_t, std::span<const int32_t> ids) {
                                 n_tokens = ids.size();
                                 if (n_tokens == 3) job.cancel();
                                 return Next::kGoOn;
                               });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kCancelled);
  EXPECT_EQ(n_tokens, 3U);
}

TEST(Generate, NonFiniteLogitsAreAnError) {
  const auto model = tests::random_model(1);
  Tensor w = model->param("model.norm.weight").value().clone();
  w.fill_(NAN);
  const Model broken = model->with({{"model.norm.weight", w}});
  const Prompts one = {{1, 2, 3}};
  for (const double temperature : {0.0, 1.0}) {
    GenerateOptions o = options(3);
    o.sampling.temperature = temperature;
    EXPECT_EQ(generate(broken, one, o).error().code, Code::kNumeric);
  }
}

TEST(Generate, SeedsDecideAndEachPromptHasItsOwn) {
  const auto model = tests::random_model(11);
  const Prompts same(3, prompts()[1]);
  GenerateOptions o = options(12);
  o.sampling.temperature = 1.5;
  o.sampling.seed = 40;
  const auto a = generate(*model, same, o).value(), b = generate(*model, same, o).value();
  for (size_t i = 0; i < same.size(); ++i) EXPECT_EQ(a[i].ids, b[i].ids);
  EXPECT_NE(a[0].ids, a[1].ids);
  o.sampling.seed = 41;  // the stream of prompt i is seed + i
  EXPECT_EQ(generate(*model, {same.data(), 1}, o).value()[0].ids, a[1].ids);
}

// --- the sampler ---------------------------------------------------------------------------------

const std::vector<float> kLogits = {0.0F, 2.0F, -1.0F, 1.0F, -30.0F};

// How often each id is drawn.
std::vector<double> frequencies(const Sampling& s, const Ids& seen = {}) {
  constexpr int kDraws = 20000;
  Sampler sampler(s);
  std::vector<double> counts(kLogits.size());
  for (int i = 0; i < kDraws; ++i)
    counts[static_cast<size_t>(sampler.next(kLogits, seen))] += 1.0 / kDraws;
  return counts;
}
// Softmax of the logits over the ids that are left.
std::vector<double> softmax(std::vector<double> logits, double temperature, const Ids& left) {
  std::vector<double> p(logits.size());
  double total = 0;
  for (const int32_t i : left)
    total += p[static_cast<size_t>(i)] = std::exp(logits[static_cast<size_t>(i)] / temperature);
  for (double& v : p) v /= total;
  return p;
}
void expect_distribution(const Sampling& s, const std::vector<double>& want, const Ids& seen = {}) {
  // Four standard deviations of 20 000 draws.
  EXPECT_THAT(frequencies(s, seen), testing::Pointwise(testing::DoubleNear(0.015), want));
}

TEST(Sampler, TheLikeliestIsTheFirstOfTheLargest) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  std::vector<float> logits(70, -3);
  for (const size_t at : {0, 5, 16, 31, 64, 69}) {
    logits.assign(70, -3);
    logits[at] = -1;
    EXPECT_EQ(likeliest(logits), at);
    logits.back() = -1;
    EXPECT_EQ(likeliest(logits), at);
  }
  logits[3] = nan;  // NaN is never the largest
  EXPECT_EQ(likeliest(logits), 69);
  logits[4] = inf;
  EXPECT_EQ(likeliest(logits), 4);
  for (const float all : {nan, -inf}) EXPECT_EQ(likeliest(std::vector<float>(70, all)), 0);
}

TEST(Sampler, TemperatureScalesTheDistribution) {
  const std::vector<double> logits(kLogits.begin(), kLogits.end());
  for (const double t : {0.5, 1.0, 3.0})
    expect_distribution({.temperature = t}, softmax(logits, t, {0, 1, 2, 3, 4}));
  EXPECT_NEAR(frequencies({.temperature = 0})[1], 1, 1e-9);
}

TEST(Sampler, TopKTopPAndMinPCutTheTail) {
  const std::vector<double> logits(kLogits.begin(), kLogits.end());
  expect_distribution({.temperature = 1, .top_k = 2}, softmax(logits, 1, {1, 3}));
  expect_distribution({.temperature = 1, .top_k = 1}, softmax(logits, 1, {1}));
  // Probabilities .087, .644, .032, .237: the smallest set that reaches p.
  expect_distribution({.temperature = 1, .top_p = 0.6}, softmax(logits, 1, {1}));
  expect_distribution({.temperature = 1, .top_p = 0.7}, softmax(logits, 1, {1, 3}));
  expect_distribution({.temperature = 1, .top_p = 0.9}, softmax(logits, 1, {0, 1, 3}));
  // e^-1 and e^-2 of the best one.
  expect_distribution({.temperature = 1, .min_p = 0.3}, softmax(logits, 1, {1, 3}));
  expect_distribution({.temperature = 1, .min_p = 0.1}, softmax(logits, 1, {0, 1, 3}));
}

TEST(Sampler, ThePenaltyPushesSeenTokensDownWhateverTheirSign) {
  std::vector<double> logits(kLogits.begin(), kLogits.end());
  logits[1] /= 1.5, logits[2] *= 1.5;
  expect_distribution({.temperature = 1, .repetition_penalty = 1.5},
                      softmax(logits, 1, {0, 1, 2, 3, 4}), {1, 2, 1});  // once, however often seen
  EXPECT_NEAR(frequencies({.temperature = 0, .repetition_penalty = 3}, {1})[3], 1, 1e-9);
}

}  // namespace
}  // namespace expunge::model
