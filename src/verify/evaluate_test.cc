// Records of a tiny model that knows planted facts.
#include "verify/evaluate.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tiny_gguf.h"

namespace expunge::verify {
namespace {

using tests::Ids;

std::string chars(const Ids& ids) {
  std::string text;
  for (const int32_t id : ids) text += static_cast<char>('0' + id);
  return text;
}

// The planted model with a template that, as ChatML does, puts something after an ended answer.
const model::ChatModel& chat_model() {
  static const model::ChatModel* planted = [] {
    const auto path = std::filesystem::temp_directory_path() /
                      ("expunge-evaluate-" + std::to_string(::getpid()) + ".gguf");
    std::ofstream(path, std::ios::binary)
        << tests::gguf_image(tests::tiny_arch(), tensor::DType::kF32);
    auto* p = new model::ChatModel(model::load_chat_model(path.string()).value());
    std::filesystem::remove(path);
    p->model = *tests::planted_model();
    p->chat = text::ChatTemplate::compile(
                  "{% for m in messages %}{{ m.content }}{% if m.role == 'assistant' %}<end>1"
                  "{% endif %}{% endfor %}",
                  "", "<end>")
                  .value();
    return p;
  }();
  return *planted;
}

QaSet set_of(const std::string& name, int32_t subjects) {
  QaSet set{name, {}};
  for (int32_t s = 0; s < subjects; ++s)
    set.items.push_back({s,
                         chars(tests::question(0, s)),
                         chars({tests::answer(0, s)}),
                         chars({tests::answer(0, s)}),
                         {chars({tests::answer(0, s + 1)}), chars({tests::answer(1, s)})}});
  return set;
}

TEST(Evaluate, KnowsWhatTheModelKnows) {
  const auto result = evaluate(chat_model(), std::vector{set_of("forget", 4)}, {}).value();
  const auto& records = result.records.at("forget");
  ASSERT_EQ(records.size(), 4);
  for (const QaRecord& r : records) {
    EXPECT_EQ(r.score.n_tokens, 2);  // the answer and the end of its turn
    EXPECT_GT(r.score.prob(), 0.8) << r.question;
    EXPECT_EQ(r.score.avg_loss, r.paraphrased->avg_loss);
    ASSERT_EQ(r.perturbed.size(), 2);
    for (const AnswerScore& wrong : r.perturbed) EXPECT_LT(wrong.prob(), r.score.prob());
    EXPECT_EQ(r.generation, r.answer);
  }
  EXPECT_EQ(result.scored_tokens, 4 * 4 * 2);
}

TEST(Evaluate, WhatIsThereIsNotComputedAgain) {
  const std::vector sets{set_of("forget", 4), set_of("retain", 3)};
  EvaluateOptions options;
  size_t kept = 0;
  QaRecords last;
  options.keep = [&](const QaRecords& records) -> base::Status {
    ++kept;
    last = records;
    return {};
  };
  const auto whole = evaluate(chat_model(), sets, options).value();
  EXPECT_EQ(kept, 4);  // a block of each set, scored and generated
  QaRecords half = whole.records;
  half["forget"].erase(half["forget"].begin() + 1);
  half["forget"][0].score.avg_loss = 42;  // a mark that stays
  half["retain"][2].generation.reset();
  const auto rest = evaluate(chat_model(), sets, options, half).value();
  EXPECT_EQ(rest.scored_tokens, 4 * 2);
  EXPECT_EQ(rest.generated_tokens, 2);
  ASSERT_EQ(rest.records.at("forget").size(), 4);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(rest.records.at("forget")[i].row, i);
  EXPECT_EQ(rest.records.at("forget")[0].score.avg_loss, 42);
  EXPECT_EQ(rest.records.at("forget")[1].score.logprobs,
            whole.records.at("forget")[1].score.logprobs);
}

TEST(Evaluate, SharesMakeTheWhole) {
  const std::vector sets{set_of("forget", 4), set_of("retain", 3)};
  EvaluateOptions options;
  const auto whole = evaluate(chat_model(), sets, options).value();
  QaRecords all;
  for (const size_t rank : {0, 1}) {
    options.shard = {rank, 2};
    // Records of the other processes' share are left to them.
    const QaRecords done = rank == 1 ? QaRecords{{"forget", {all["forget"][0]}}} : QaRecords();
    const QaRecords part = evaluate(chat_model(), sets, options, done).value().records;
    for (const auto& [name, records] : part)
      for (const QaRecord& r : records)
        if (static_cast<size_t>(r.row) % 2 == rank) all[name].push_back(r);
    EXPECT_EQ(part.at("retain").size(), rank == 0 ? 2 : 1);
  }
  options.shard = {};
  const auto joined = evaluate(chat_model(), sets, options, all).value();
  EXPECT_EQ(joined.scored_tokens + joined.generated_tokens, 0);
  for (const auto& [name, records] : whole.records) {
    ASSERT_EQ(joined.records.at(name).size(), records.size());
    for (size_t i = 0; i < records.size(); ++i) {
      EXPECT_EQ(joined.records.at(name)[i].row, records[i].row);
      EXPECT_EQ(joined.records.at(name)[i].generation, records[i].generation);
    }
  }
}

TEST(Evaluate, AnItemBeyondTheContextIsSkipped) {
  std::vector sets{set_of("forget", 4)};
  sets[0].file = "qa.json";
  const auto context = static_cast<size_t>(chat_model().model.arch().context_length);
  sets[0].items[2].perturbed[1] = std::string(context, '3');
  for (const Parity parity : {Parity::kNone, Parity::kOpenUnlearning}) {
    EvaluateOptions options;
    options.parity = parity;
    const auto result = evaluate(chat_model(), sets, options).value();
    ASSERT_EQ(result.records.at("forget").size(), 3);
    EXPECT_EQ(result.records.at("forget")[2].row, 3);
    EXPECT_TRUE(result.records.at("forget")[2].generation);
    ASSERT_EQ(result.skipped.size(), 1);
    EXPECT_THAT(describe(result.skipped[0]), ::testing::HasSubstr("forget row 2 of qa.json: "));
  }
}

TEST(Evaluate, AnswersWithoutAWordHaveNoRouge) {
  std::vector sets{set_of("forget", 1)};
  sets[0].items[0].answer = "?";  // no letter, no digit
  const auto result = evaluate(chat_model(), sets, {}).value();
  EXPECT_TRUE(result.records.at("forget")[0].generation);
  EXPECT_FALSE(result.records.at("forget")[0].rougeL_recall);
}

// What the peer scores: the answer, its end, what the template puts after it, and an end again.
TEST(Evaluate, ParityScoresWhatThePeerScores) {
  const std::string question = chars(tests::question(0, 1)), answer = chars({tests::answer(0, 1)});
  const auto own = encode_answer(chat_model(), "", question, answer, Parity::kNone).value();
  const auto peer =
      encode_answer(chat_model(), "", question, answer, Parity::kOpenUnlearning).value();
  Ids want = tests::question(0, 1);
  EXPECT_EQ(own.first, want.size());
  EXPECT_EQ(peer.first, want.size());
  want.push_back(tests::answer(0, 1));
  want.push_back(tests::kEnd);
  EXPECT_EQ(own.ids, want);
  want.push_back(1);
  want.push_back(tests::kEnd);
  EXPECT_EQ(peer.ids, want);
}

TEST(Evaluate, CleansUpAsTransformersDoes) {
  EXPECT_EQ(cleaned_up("Well , it is n't . Is it ? He 's in ' here ' !"),
            "Well, it isn't. Is it? He's in'here '!");
  EXPECT_EQ(cleaned_up(" . . ."), "...");
}

}  // namespace
}  // namespace expunge::verify
