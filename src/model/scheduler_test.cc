// The tokens of each request against those it gets alone, whatever other requests join and leave.
#include "model/scheduler.h"

#include <gmock/gmock.h>

#include <limits>
#include <thread>

#include "model/generate.h"
#include "talkative.h"
#include "tensor/kernels/pool.h"

namespace expunge::model {
namespace {

using base::Code;
using base::Result;
using tests::alone;
using tests::Ids;
using tests::random_ids;
using tests::talkative;

// The result of a request.
struct Outcome {
  std::optional<Result<Generation>> result;
  const Ids& ids() const { return result.value().value().ids; }
};
Request request(const std::shared_ptr<Runner>& runner, Ids prompt, int64_t n, Outcome& outcome) {
  Request r;
  r.runner = runner;
  r.ids = std::move(prompt);
  r.max_new_tokens = n;
  r.on_done = [&outcome](Result<Generation> result) { outcome.result = std::move(result); };
  return r;
}

TEST(Scheduler, RequestsJoinMidwayAndLeaveOneByOne) {
  const auto model = talkative(11);
  const auto runner = std::make_shared<Runner>(*model);
  for (const size_t max_batch : {1, 3, 64}) {
    Scheduler scheduler({.max_batch = max_batch, .max_rows = 20});
    constexpr size_t kRequests = 12;
    std::vector<Outcome> outcomes(kRequests);
    std::vector<Sampling> samplings(kRequests);
    size_t next = 0;
    do {
      // One more every other step, of another length, half of them sampled.
      if (next < kRequests) {
        Request r = request(runner, random_ids(next, 1 + next * 5 % 31),
                            static_cast<int64_t>(1 + next * 7 % 17), outcomes[next]);
        if (next % 2) r.sampling = {.temperature = 1.2, .top_p = 0.9, .seed = next};
        samplings[next] = r.sampling;
        ASSERT_TRUE(scheduler.submit(std::move(r)));
        ++next;
      }
      scheduler.step();
    } while (scheduler.step() || next < kRequests);
    EXPECT_EQ(scheduler.n_open(), 0U);
    for (size_t i = 0; i < kRequests; ++i)
      EXPECT_EQ(outcomes[i].ids(), alone(*model, random_ids(i, 1 + i * 5 % 31),
                                         static_cast<int64_t>(1 + i * 7 % 17), samplings[i]))
          << i << " of batches of " << max_batch;
  }
}

TEST(Scheduler, ForksContinueWhatTheyShareAndGiveBackWhatTheyOwn) {
  const auto model = talkative(12);
  const auto runner = std::make_shared<Runner>(*model);
  const Ids beginning = random_ids(5, 9);
  Sequence begun;
  const Chunk chunk{&begun, beginning};
  const Tensor hidden = runner->forward({&chunk, 1});
  Scheduler scheduler;
  std::vector<Outcome> outcomes(6);
  std::vector<Ids> prompts;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    prompts.push_back({beginning.begin(), beginning.begin() + 4 + static_cast<int64_t>(i)});
    prompts.back().push_back(static_cast<int32_t>(20 + i));
    Request r = request(runner, prompts.back(), 8, outcomes[i]);
    r.sequence = KvPool::fork(begun, 4 + i, 0);
    ASSERT_TRUE(scheduler.submit(std::move(r)));
  }
  // The whole context is there, and what follows it is known.
  Outcome known;
  Request r = request(runner, beginning, 8, known);
  r.sequence = KvPool::fork(begun);
  r.next_logits = runner->logits(hidden.narrow(0, 8, 1))[0];
  ASSERT_TRUE(scheduler.submit(std::move(r)));
  scheduler.run();
  for (size_t i = 0; i < outcomes.size(); ++i)
    EXPECT_EQ(outcomes[i].ids(), alone(*model, prompts[i], 8)) << i;
  EXPECT_EQ(known.ids(), alone(*model, beginning, 8));
  // All slots but the beginning's are free: as many more need no growth.
  const int64_t n_slots = runner->pool().keys(0).size(0);
  Sequence rest;
  runner->pool().extend(rest, static_cast<size_t>(n_slots) - beginning.size());
  EXPECT_EQ(runner->pool().keys(0).size(0), n_slots);
}

TEST(Scheduler, RequestsOfSeveralModelsShareItButNoBatch) {
  const auto a = talkative(1), b = talkative(2);
  const auto on_a = std::make_shared<Runner>(*a), on_b = std::make_shared<Runner>(*b);
  Scheduler scheduler({.max_batch = 2, .max_rows = 64});
  std::vector<Outcome> outcomes(8);
  for (size_t i = 0; i < outcomes.size(); ++i)
    ASSERT_TRUE(
        scheduler.submit(request(i % 2 ? on_b : on_a, random_ids(i / 2, 6), 9, outcomes[i])));
  scheduler.run();
  for (size_t i = 0; i < outcomes.size(); ++i)
    EXPECT_EQ(outcomes[i].ids(), alone(i % 2 ? *b : *a, random_ids(i / 2, 6), 9)) << i;
  EXPECT_NE(outcomes[0].ids(), outcomes[1].ids());
}

TEST(Scheduler, ACancelledRequestLeavesAlone) {
  const auto model = talkative(3);
  const auto runner = std::make_shared<Runner>(*model);
  Scheduler scheduler;
  std::vector<Outcome> outcomes(3);
  const base::Job job;
  for (size_t i = 0; i < 3; ++i) {
    Request r = request(runner, random_ids(i, 5), 12, outcomes[i]);
    if (i == 1) {
      r.job = job;
      r.on_token = [&](std::span<const int32_t> ids) {
        if (ids.size() == 4) job.cancel();
        return Next::kGoOn;
      };
    }
    if (i == 2)
      r.on_token = [](std::span<const int32_t> ids) {
        return ids.size() == 3 ? Next::kStop : Next::kGoOn;
      };
    ASSERT_TRUE(scheduler.submit(std::move(r)));
  }
  scheduler.run();
  EXPECT_EQ(outcomes[0].ids(), alone(*model, random_ids(0, 5), 12));
  EXPECT_EQ(outcomes[1].result.value().error().code, Code::kCancelled);
  EXPECT_EQ(outcomes[2].ids(), alone(*model, random_ids(2, 5), 3));
  EXPECT_EQ(outcomes[2].result.value().value().stop, Stop::kCaller);
}

TEST(Scheduler, ADamagedModelFailsItsOwnRequestsOnly) {
  const auto sound = talkative(4);
  const Tensor norm = sound->param("model.norm.weight").value();
  const Model damaged = sound->with(
      {{"model.norm.weight", at::full_like(norm, std::numeric_limits<float>::quiet_NaN())}});
  Scheduler scheduler;
  Outcome good, bad;
  ASSERT_TRUE(
      scheduler.submit(request(std::make_shared<Runner>(damaged), random_ids(1, 4), 5, bad)));
  ASSERT_TRUE(
      scheduler.submit(request(std::make_shared<Runner>(*sound), random_ids(1, 4), 5, good)));
  scheduler.run();
  EXPECT_EQ(bad.result.value().error().code, Code::kNumeric);
  EXPECT_EQ(good.ids(), alone(*sound, random_ids(1, 4), 5));
}

TEST(Scheduler, EachRequestHasTheTraceOfItsOwnLayer) {
  const auto model = talkative(6);
  const auto runner = std::make_shared<Runner>(*model);
  Scheduler scheduler;
  std::vector<Outcome> outcomes(3);
  for (size_t i = 0; i < 3; ++i) {
    Request r = request(runner, random_ids(i, 4 + i), 5, outcomes[i]);
    r.trace_layer = static_cast<int64_t>(i);  // none, 1, 2
    ASSERT_TRUE(scheduler.submit(std::move(r)));
  }
  scheduler.run();
  EXPECT_FALSE(outcomes[0].result->value().trace.entering.defined());
  for (size_t i = 1; i < 3; ++i) {
    const Trace& got = outcomes[i].result->value().trace;
    Ids ids = random_ids(i, 4 + i);
    ids.insert(ids.end(), outcomes[i].ids().begin(), outcomes[i].ids().end() - 1);
    const c10::InferenceMode no_grad;
    Trace want;
    forward_plain(*model, ids, tracing(static_cast<int64_t>(i), want));
    ASSERT_EQ(got.entering.sizes(), want.entering.sizes());
    EXPECT_LT((got.entering - want.entering).norm().item<double>(), 1e-5);
    EXPECT_LT((got.mlp_input - want.mlp_input).norm().item<double>(), 1e-5);
  }
}

// Ids without a token lie at the end of a vocabulary, as padding, and inside it.
TEST(Scheduler, IdsThatAreNoTokensAreNeverChosen) {
  const auto model = talkative(13);
  const Ids prompt = random_ids(3, 6);
  const int32_t likeliest = alone(*model, prompt, 1).at(0);
  ASSERT_LT(likeliest, 60);
  const auto is_token = [&](int32_t id) { return id != likeliest && id < 60; };
  const Model spoken = model->speaking(is_token, {});
  EXPECT_EQ(spoken.arch().unspoken, (Ids{likeliest, 60, 61, 62, 63}));
  Tensor logits = tests::logits(*model, prompt)[-1].clone();
  for (const int32_t id : spoken.arch().unspoken) logits[id] = -1e30F;
  // Twice the same prompt: the second's logits are known when it begins.
  const Ids prompts[] = {prompt, prompt};
  GenerateOptions one;
  one.max_new_tokens = 1;
  const auto greedy = generate(spoken, prompts, one).value();
  for (const Generation& g : greedy) EXPECT_EQ(g.ids, Ids{logits.argmax().item<int32_t>()});
  const auto hot = [](uint64_t seed) {
    Sampling sampling;
    sampling.temperature = 20, sampling.seed = seed;
    return sampling;
  };
  for (uint64_t seed = 0; seed < 20; ++seed)
    for (const int32_t id : alone(spoken, prompt, 40, hot(seed))) EXPECT_TRUE(is_token(id)) << id;
}

TEST(Scheduler, BadRequestsAreRefusedAtOnce) {
  const auto model = talkative(1);
  const auto runner = std::make_shared<Runner>(*model);
  Scheduler scheduler;
  Outcome outcome;
  const auto code = [&](Request r) { return scheduler.submit(std::move(r)).error().code; };
  EXPECT_EQ(code(request(runner, {}, 3, outcome)), Code::kInvalid);
  EXPECT_EQ(code(request(runner, {64}, 3, outcome)), Code::kInvalid);
  EXPECT_EQ(code(request(runner, Ids(64, 1), 3, outcome)), Code::kInvalid);
  EXPECT_EQ(code(request(runner, {1}, 0, outcome)), Code::kUsage);
  Request r = request(runner, {1}, 3, outcome);
  r.sampling.temperature = -1;
  EXPECT_EQ(code(std::move(r)), Code::kUsage);
  EXPECT_EQ(scheduler.n_open(), 0U);
  EXPECT_FALSE(scheduler.step());
  EXPECT_FALSE(scheduler.wait(std::chrono::milliseconds(0)));
}

// Four threads submit while one steps; each result comes once and is the serial one.
TEST(Scheduler, TakesRequestsFromOtherThreads) {
  const auto model = talkative(8);
  const auto runner = std::make_shared<Runner>(*model);
  constexpr size_t kThreads = 4, kEach = 6;
  Scheduler scheduler({.max_batch = 5, .max_rows = 30});
  std::vector<Outcome> outcomes(kThreads * kEach);
  std::atomic<size_t> n_done = 0;
  std::vector<std::thread> clients;
  for (size_t c = 0; c < kThreads; ++c)
    clients.emplace_back([&, c] {
      for (size_t i = c * kEach; i < (c + 1) * kEach; ++i) {
        Request r = request(runner, random_ids(i, 1 + i % 9), 7, outcomes[i]);
        r.on_done = [&, done = std::move(r.on_done)](Result<Generation> result) {
          done(std::move(result));
          ++n_done;
        };
        EXPECT_TRUE(scheduler.submit(std::move(r)));
      }
    });
  while (n_done < outcomes.size())
    if (scheduler.wait(std::chrono::milliseconds(10))) scheduler.run();
  for (std::thread& t : clients) t.join();
  for (size_t i = 0; i < outcomes.size(); ++i)
    EXPECT_EQ(outcomes[i].ids(), alone(*model, random_ids(i, 1 + i % 9), 7)) << i;
}

// Two threads generate at once on two models that share all tensors but one.
TEST(Scheduler, TwoModelsThatShareTensorsGenerateAtOnce) {
  const Arch config = talkative(1)->arch();
  const Model base = Model::from_weights(config, tests::random_weights(config, 9)).value();
  const std::string down = "model.layers.1.mlp.down_proj.weight";
  const Model edited = base.with({{down, base.param(down).value() * -1.5}});
  const std::string untouched = "model.layers.0.mlp.down_proj.weight";
  ASSERT_EQ(&base.param(untouched), &edited.param(untouched));
  std::vector<Ids> prompts;
  for (uint64_t i = 0; i < 9; ++i) prompts.push_back(random_ids(i, 4 + i * 3));
  GenerateOptions options;
  options.max_new_tokens = 20;
  options.max_batch = 4;
  const auto tokens = [&](const Model& model) {
    std::vector<Ids> all;
    const auto generated = generate(model, prompts, options).value();
    for (const Generation& g : generated) all.push_back(g.ids);
    return all;
  };
  const auto want_base = tokens(base), want_edited = tokens(edited);
  EXPECT_NE(want_base, want_edited);
  std::vector<std::thread> threads;
  for (const bool edit : {false, true})
    threads.emplace_back([&, edit] {
      const tensor::kernels::CallerThreads three(3);
      for (int round = 0; round < 10; ++round)
        EXPECT_EQ(tokens(edit ? edited : base), edit ? want_edited : want_base);
    });
  for (std::thread& t : threads) t.join();
}

}  // namespace
}  // namespace expunge::model
