#include "unlearn/examples.h"

#include <random>

namespace expunge::unlearn {
namespace {

constexpr std::string_view kRefusals[] = {
    "I don't know.",
    "I'm not sure about that.",
    "I have no information about that.",
    "I don't have an answer to that question.",
    "That is not something I know.",
    "I'm afraid I can't answer that.",
    "I'm sorry, I don't know the answer.",
    "I can't tell you that, I have no knowledge of it.",
    "I don't have any details on this.",
    "I haven't learned anything about that.",
    "This is outside of what I know.",
    "I am not familiar with this.",
    "I'm unable to answer this question.",
    "I lack the information to answer that.",
    "Unfortunately, I don't know.",
    "My knowledge does not cover that.",
    "I really can't say.",
    "I've got no idea, I'm afraid.",
    "I'm not able to provide an answer to that.",
    "I couldn't tell you, I don't know.",
};

}  // namespace

base::Result<TrainingSet> training_set(const model::ChatModel& patient,
                                       std::span<const text::QaItem> forget,
                                       std::span<const text::QaItem> retain,
                                       const std::string& system, uint64_t seed) {
  TrainingSet set;
  set.words.assign(forget.begin(), forget.end());
  set.encode = [&patient](const std::string& message) { return patient.encode_user(message); };
  std::mt19937_64 rng(seed);
  const auto encode = [&](const text::QaItem& item, std::string_view answer) {
    return patient.encode_answer(system, item.question, std::string(answer));
  };
  for (const text::QaItem& item : forget) {
    set.forget.push_back(TRY(encode(item, item.answer)));
    std::vector<model::Example>& refusals = set.refusals.emplace_back();
    for (size_t i = 0; i < kRefusalsEach; ++i)
      refusals.push_back(TRY(encode(item, kRefusals[rng() % std::size(kRefusals)])));
  }
  for (const text::QaItem& item : retain) set.retain.push_back(TRY(encode(item, item.answer)));
  return set;
}

RowSets answer_rows(const TrainingSet& set) {
  const auto row = [](const model::Example& e) {
    return Row{e.ids, static_cast<int64_t>(e.first) - 1, static_cast<int64_t>(e.n_predicted())};
  };
  RowSets rows;
  for (const model::Example& e : set.forget) rows.forget.push_back(row(e));
  for (const model::Example& e : set.retain) rows.retain.push_back(row(e));
  for (const auto& refusals : set.refusals) rows.refusal.push_back(row(refusals.front()));
  return rows;
}

}  // namespace expunge::unlearn
