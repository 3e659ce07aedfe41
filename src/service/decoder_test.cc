// Replies of many callers against those that each gets alone.
#include "service/decoder.h"

#include <future>
#include <random>

#include "model/generate.h"
#include "service/planted_test.h"
#include "talkative.h"

namespace expunge::service {
namespace {

using base::Code;
using tests::alone;
using tests::Ids;
using tests::random_ids;

model::Request request(Ids prompt, int64_t n) {
  model::Request r;
  r.ids = std::move(prompt);
  r.max_new_tokens = n;
  return r;
}

TEST(Decoder, EachCallerGetsWhatItWouldGetAlone) {
  const model::Model a = *tests::talkative(1), b = *tests::talkative(2);
  Decoder decoder({.max_batch = 3, .max_rows = 10});
  std::vector<std::future<base::Result<model::Generation>>> replies;
  for (size_t i = 0; i < 12; ++i)
    replies.push_back(std::async(std::launch::async, [&, i] {
      return decoder.run(i % 3 ? a : b, request(random_ids(i / 2, 3 + i * 5 % 23), 8));
    }));
  for (size_t i = 0; i < replies.size(); ++i)
    EXPECT_EQ(replies[i].get().value().ids,
              alone(i % 3 ? a : b, random_ids(i / 2, 3 + i * 5 % 23), 8))
        << i;
  EXPECT_EQ(decoder.n_open(), 0u);
  EXPECT_EQ(decoder.totals().requests, 12u);
}

TEST(Decoder, WhatAPromptHasInCommonWithAnEarlierOneIsNotComputedAgain) {
  const model::Model model = *tests::talkative(3);
  Decoder decoder;
  const Ids first = random_ids(7, 20);
  Ids conversation = first;
  const Ids reply = decoder.run(model, request(first, 9)).value().ids;
  EXPECT_EQ(decoder.totals().reused_tokens, 0u);
  // The next turn of the conversation, and another that forks from the first.
  conversation.insert(conversation.end(), reply.begin(), reply.end());
  conversation.push_back(5);
  EXPECT_EQ(decoder.run(model, request(conversation, 6)).value().ids,
            alone(model, conversation, 6));
  EXPECT_GE(decoder.totals().reused_tokens, first.size() + reply.size() - 1);
  Ids fork(first.begin(), first.begin() + 12);
  fork.push_back(1);
  const uint64_t before = decoder.totals().reused_tokens;
  EXPECT_EQ(decoder.run(model, request(fork, 6)).value().ids, alone(model, fork, 6));
  EXPECT_EQ(decoder.totals().reused_tokens - before, 12u);
  EXPECT_EQ(decoder.run(model, request(first, 9)).value().ids, reply);
}

// What is kept is bounded, so the pool of keys and values does not grow with the requests.
TEST(Decoder, KeysAndValuesOfEndedRequestsAreDroppedAboveTheirBound) {
  const model::Model model = *tests::talkative(4);
  Decoder decoder({.kept_bytes = 40000});
  for (uint64_t i = 0; i < 60; ++i) {
    const Ids prompt = random_ids(100 + i, 15);
    ASSERT_EQ(decoder.run(model, request(prompt, 5)).value().ids, alone(model, prompt, 5)) << i;
  }
}

// Conversations that grow, fork and are dropped, with prompts in parts and several at once: each
// reply is the one that a pass over the whole gives.
TEST(Decoder, WhateverWasKeptTheReplyIsTheSame) {
  const model::Model model = *tests::talkative(11);
  for (const size_t kept : {size_t{1} << 14, size_t{1} << 24}) {
    Decoder decoder({.max_batch = 4, .max_rows = 7, .kept_bytes = kept});
    std::vector<Ids> conversations = {random_ids(1, 3), random_ids(2, 3), random_ids(3, 3)};
    std::mt19937_64 rng(5);
    for (int turn = 0; turn < 60; ++turn) {
      std::vector<std::future<base::Result<model::Generation>>> replies;
      for (Ids& c : conversations) {
        if (c.size() > 40) c.resize(2 + rng() % 30);
        const Ids more = random_ids(1000 + rng() % 100000, 1 + rng() % 9);
        c.insert(c.end(), more.begin(), more.end());
        replies.push_back(
            std::async(std::launch::async, [&] { return decoder.run(model, request(c, 6)); }));
      }
      for (size_t i = 0; i < conversations.size(); ++i) {
        const Ids reply = replies[i].get().value().ids;
        ASSERT_EQ(reply, alone(model, conversations[i], 6)) << turn << " of " << i;
        conversations[i].insert(conversations[i].end(), reply.begin(), reply.end());
      }
    }
  }
}

TEST(Decoder, RequestsInFlightFinishOnTheModelThatTheyBeganWith) {
  const model::Model before = *tests::talkative(5), after = *tests::talkative(6);
  Decoder decoder;
  std::promise<void> begun, other_done;
  model::Request first = request(random_ids(1, 6), 12);
  first.on_token = [&](std::span<const int32_t> ids) {
    if (ids.size() == 2) {
      begun.set_value();
      // Meanwhile the other model answers whole.
    }
    return model::Next::kGoOn;
  };
  auto running =
      std::async(std::launch::async, [&] { return decoder.run(before, std::move(first)); });
  begun.get_future().wait();
  EXPECT_EQ(decoder.run(after, request(random_ids(1, 6), 12)).value().ids,
            alone(after, random_ids(1, 6), 12));
  EXPECT_EQ(running.get().value().ids, alone(before, random_ids(1, 6), 12));
}

TEST(Decoder, WhatCannotRunIsRefused) {
  const model::Model model = *tests::talkative(8);
  Decoder decoder({.max_open = 1});
  EXPECT_EQ(decoder.run(model, request({}, 5)).error().code, Code::kInvalid);
  EXPECT_EQ(decoder.run(model, request({99999}, 5)).error().code, Code::kInvalid);
  std::promise<void> go_on;
  std::promise<void> begun;
  model::Request first = request(random_ids(1, 6), 2);
  first.on_token = [&, future = go_on.get_future().share()](std::span<const int32_t> ids) {
    if (ids.size() == 1) begun.set_value(), future.wait();
    return model::Next::kGoOn;
  };
  auto running =
      std::async(std::launch::async, [&] { return decoder.run(model, std::move(first)); });
  begun.get_future().wait();
  EXPECT_EQ(decoder.run(model, request(random_ids(2, 6), 2)).error().code, Code::kUnavailable);
  go_on.set_value();
  EXPECT_TRUE(running.get());
}

TEST(Decoder, ACancelledRequestLeavesAlone) {
  const model::Model model = *tests::talkative(9);
  Decoder decoder;
  model::Request stopped = request(random_ids(1, 6), 50);
  const base::Job job;
  stopped.job = job;
  stopped.on_token = [&](std::span<const int32_t> ids) {
    if (ids.size() == 3) job.cancel();
    return model::Next::kGoOn;
  };
  EXPECT_EQ(decoder.run(model, std::move(stopped)).error().code, Code::kCancelled);
  EXPECT_EQ(decoder.n_open(), 0u);
}

}  // namespace
}  // namespace expunge::service
