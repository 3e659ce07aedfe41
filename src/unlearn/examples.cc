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

// An answer after its question for training, or why it is left out.
struct Encoded {
  model::Example example;
  std::optional<TooLong> too_long;
};

base::Result<Encoded> encode(const model::ChatModel& chat_model, const std::string& system,
                             const std::string& question, const std::string& answer) {
  auto example = chat_model.encode_answer(system, question, answer);
  if (example) return Encoded{*std::move(example), {}};
  if (example.error().code != base::Code::kInvalid) return tl::unexpected(example.error());
  std::vector<text::Message> messages;
  if (!system.empty()) messages.push_back({"system", system});
  messages.push_back({"user", question});
  messages.push_back({"assistant", answer});
  const size_t tokens = TRY(chat_model.encode(messages)).size();
  const auto limit = static_cast<size_t>(chat_model.model.arch().context_length);
  if (tokens < limit) return tl::unexpected(example.error());
  return Encoded{{}, TooLong{0, tokens, limit}};
}

}  // namespace

base::Result<EncodedSets> encode_sets(const model::ChatModel& chat_model,
                                      std::span<const text::QaItem> forget,
                                      std::span<const text::QaItem> retain,
                                      const std::string& system, uint64_t seed) {
  EncodedSets sets;
  TrainingSet& set = sets.set;
  set.encode = [&chat_model](const std::string& message) {
    return chat_model.encode_user(message);
  };
  std::mt19937_64 rng(seed);
  for (size_t i = 0; i < forget.size(); ++i) {
    const text::QaItem& item = forget[i];
    const std::string where = fmt::format("forget row {}", item.row);
    Encoded own = TRY_AT(where, encode(chat_model, system, item.question, item.answer));
    // Drawn whether the item is left out or not: the other items' refusals do not depend on it.
    std::vector<model::Example> refusals;
    for (size_t r = 0; r < kRefusalsEach; ++r) {
      const std::string_view refusal = kRefusals[rng() % std::size(kRefusals)];
      Encoded other =
          TRY_AT(where, encode(chat_model, system, item.question, std::string(refusal)));
      if (other.too_long && !own.too_long) own.too_long = other.too_long;
      refusals.push_back(std::move(other.example));
    }
    if (own.too_long) {
      sets.forget_skipped.push_back({i, own.too_long->tokens, own.too_long->limit});
      continue;
    }
    set.words.push_back(item);
    set.forget.push_back(std::move(own.example));
    set.refusals.push_back(std::move(refusals));
  }
  for (size_t i = 0; i < retain.size(); ++i) {
    const text::QaItem& item = retain[i];
    Encoded own = TRY_AT(fmt::format("retain row {}", item.row),
                         encode(chat_model, system, item.question, item.answer));
    if (own.too_long)
      sets.retain_skipped.push_back({i, own.too_long->tokens, own.too_long->limit});
    else
      set.retain.push_back(std::move(own.example));
  }
  return sets;
}

base::Result<std::optional<TooLong>> too_long(const model::ChatModel& chat_model,
                                              const std::string& system, const text::QaItem& item) {
  return TRY(encode(chat_model, system, item.question, item.answer)).too_long;
}

RowSets answer_rows(const TrainingSet& set) {
  const auto row = [](const model::Example& e) {
    return TokenSpan{e.ids, static_cast<int64_t>(e.first) - 1,
                     static_cast<int64_t>(e.n_predicted())};
  };
  RowSets rows;
  for (const model::Example& e : set.forget) rows.forget.push_back(row(e));
  for (const model::Example& e : set.retain) rows.retain.push_back(row(e));
  for (const auto& refusals : set.refusals) rows.refusal.push_back(row(refusals.front()));
  return rows;
}

}  // namespace expunge::unlearn
