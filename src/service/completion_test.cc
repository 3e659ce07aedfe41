#include "service/completion.h"

#include <cmath>
#include <future>

#include "model/forward.h"
#include "model/generate.h"
#include "service/service_test.h"

namespace expunge::service {
namespace {

using ::testing::ElementsAre;
using Echo = CompletionOptions::Echo;

struct Done {
  std::string text;
  std::vector<TokenScore> tokens;
  Completed completed;
};

class Completion : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    chat_model_.emplace(model::load_chat_model(model()).value());
  }
  Done complete(const std::string& prompt, const CompletionOptions& options) {
    Done done;
    std::promise<base::Result<Completed>> end;
    EXPECT_TRUE(service::complete(
        decoder_, *chat_model_, chat_model_->encode_text(prompt).value(), options, {},
        [&](Piece piece) {
          done.text += piece.text;
          for (TokenScore& t : piece.tokens) done.tokens.push_back(std::move(t));
          return true;
        },
        [&](base::Result<Completed> result) { end.set_value(std::move(result)); }));
    done.completed = end.get_future().get().value();
    return done;
  }
  std::optional<model::ChatModel> chat_model_;
  Decoder decoder_;
};

TEST_F(Completion, IsWhatTheModelWrites) {
  const Done done = complete("hello", {.sampling = {}, .max_new_tokens = 9});
  model::GenerateOptions options;
  options.max_new_tokens = 9;
  const auto prompt = chat_model_->encode_text("hello").value();
  const auto alone = model::generate(chat_model_->model, {&prompt, 1}, options).value()[0];
  EXPECT_EQ(done.text, chat_model_->tokenizer.decode(alone.ids).value());
  EXPECT_EQ(done.completed.prompt_tokens, prompt.size());
  EXPECT_EQ(done.completed.written_tokens, alone.ids.size());
  EXPECT_EQ(done.completed.ended == Ended::kLength, alone.stop == model::Stop::kLength);
}

TEST_F(Completion, EndsBeforeAStopString) {
  const std::string whole = complete("hello", {.sampling = {}, .max_new_tokens = 12}).text;
  ASSERT_GT(whole.size(), 6u);
  const std::string stop = whole.substr(4, 2);
  const Done done =
      complete("hello", {.sampling = {}, .max_new_tokens = 12, .stop = {"never", stop}});
  EXPECT_EQ(done.text, whole.substr(0, whole.find(stop)));
  EXPECT_EQ(done.completed.ended, Ended::kStop);
}

// Each token's log-probability against a pass over the whole text.
TEST_F(Completion, ScoresAreThoseOfAPlainPass) {
  for (const Echo echo : {Echo::kNo, Echo::kYes, Echo::kOnly}) {
    const Done done =
        complete("hello", {.sampling = {}, .max_new_tokens = 5, .n_top = 2, .echo = echo});
    std::vector<int32_t> ids = chat_model_->encode_text("hello").value();
    const size_t n_prompt = ids.size();
    size_t first = echo == Echo::kNo ? n_prompt : 0;
    ASSERT_EQ(done.tokens.size() + first, echo == Echo::kOnly ? n_prompt : n_prompt + 5);
    for (size_t i = n_prompt; i < first + done.tokens.size(); ++i)
      ids.push_back(done.tokens[i - first].id);
    const auto hidden = model::forward_plain(chat_model_->model, ids);
    const tensor::Tensor logits = model::plain_logits(chat_model_->model, hidden);
    for (size_t i = first; i < ids.size(); ++i) {
      const TokenScore& t = done.tokens[i - first];
      EXPECT_EQ(t.id, ids[i]);
      if (i == 0) {
        EXPECT_FALSE(t.log_prob);
        continue;
      }
      const LogProbs expected =
          log_probs({logits.data_ptr<float>() + (i - 1) * static_cast<size_t>(logits.size(1)),
                     static_cast<size_t>(logits.size(1))},
                    ids[i], 2);
      ASSERT_TRUE(t.log_prob) << i;
      EXPECT_NEAR(*t.log_prob, expected.of_token, 1e-3) << i;
      ASSERT_EQ(t.top.size(), 2u);
      EXPECT_NEAR(t.top[0].second, expected.top[0].second, 1e-3);
      EXPECT_GE(t.top[0].second, t.top[1].second);
    }
  }
}

// lm-evaluation-harness asks for one token after the prompt and leaves out the last score.
TEST_F(Completion, WithAnEchoTheTokenThatEndsAReplyIsScored) {
  const size_t n_prompt = chat_model_->encode_text("hello").value().size();
  bool has_ended = false;
  for (uint64_t seed = 0; seed < 500 && !has_ended; ++seed) {
    const Done done = complete("hello", {.sampling = {.temperature = 3, .seed = seed},
                                         .max_new_tokens = 8,
                                         .n_top = 0,
                                         .echo = Echo::kYes});
    has_ended = done.completed.ended == Ended::kStop;
    EXPECT_EQ(done.tokens.size(), n_prompt + done.completed.written_tokens + has_ended);
    EXPECT_TRUE(done.tokens.back().log_prob);
  }
  EXPECT_TRUE(has_ended);
}

TEST_F(Completion, AnEchoComesFirst) {
  const Done plain = complete("hello", {.sampling = {}, .max_new_tokens = 4});
  EXPECT_EQ(complete("hello", {.sampling = {}, .max_new_tokens = 4, .echo = Echo::kYes}).text,
            "hello" + plain.text);
  EXPECT_EQ(complete("hello", {.sampling = {}, .echo = Echo::kOnly}).text, "hello");
}

TEST(LogProbs, AreALogSoftmax) {
  const std::vector<float> logits = {0, 1, -std::numeric_limits<float>::infinity(), 1};
  const double sum = 1 + 2 * std::exp(1.0);
  const LogProbs p = log_probs(logits, 0, 3);
  EXPECT_NEAR(p.of_token, -std::log(sum), 1e-12);
  ASSERT_EQ(p.top.size(), 3u);
  EXPECT_EQ(p.top[0].first, 1);  // of equals the first
  EXPECT_EQ(p.top[1].first, 3);
  EXPECT_NEAR(p.top[0].second, 1 - std::log(sum), 1e-12);
}

TEST(StopStrings, HoldBackWhatMayBeTheBeginningOfOne) {
  StopStrings stop({"END", "<s>"});
  EXPECT_EQ(stop.push("abE"), "ab");
  EXPECT_EQ(stop.push("N"), "");
  EXPECT_EQ(stop.push("x<"), "ENx");
  EXPECT_EQ(stop.push("b"), "<b");
  EXPECT_EQ(stop.push("cENDd"), "c");
  EXPECT_TRUE(stop.found());
  EXPECT_EQ(stop.push("more"), "");
  EXPECT_EQ(stop.finish(), "");
  StopStrings open({"END"});
  EXPECT_EQ(open.push("aEN"), "a");
  EXPECT_EQ(open.finish(), "EN");
}

}  // namespace
}  // namespace expunge::service
