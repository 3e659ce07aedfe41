#include "agent/surgeon/material.h"

#include <algorithm>
#include <list>
#include <set>

#include "agent/surgeon/form.h"
#include "agent/watchdog/watchdog.h"
#include "agent/words.h"

namespace expunge::agent {
namespace {

using base::Result;

// All greedily and twice drawn; lists more freely, since other subjects are wanted.
constexpr double kTemperature = 0.8, kListTemperature = 1.2;
constexpr int kWordingDraws = 2, kListDraws = 2;

// Whether all that a line asks about is in the question too: then it is the same question.
bool asks_the_same(const std::string& line, const std::string& question) {
  std::set<std::string> asked;
  for (const Word& w : words_of(question)) asked.insert(w.text);
  return std::ranges::all_of(words_of(line), [&](const Word& w) {
    return is_function_word(w.text) || asked.contains(w.text);
  });
}

}  // namespace

Result<Material> ModelSurgeon::write(const std::string& question, const std::string& answer,
                                     const base::Job& job) const {
  std::list<SurgeonGrammar> grammars;
  std::vector<Wanted> wanted;
  std::vector<LanguageModel::Order> orders;
  const auto order = [&](Wanted kind, int draw) {
    const bool is_list = kind == Wanted::kNeighbours || kind == Wanted::kSameSubject;
    wanted.push_back(kind);
    orders.push_back({.begun = std::string(1, static_cast<char>(kind)),
                      .grammar = &grammars.emplace_back(kind),
                      .max_new_tokens = is_list ? 80 : 40,
                      .temperature = draw == 0 ? 0
                                     : is_list ? kListTemperature
                                               : kTemperature,
                      .seed = static_cast<uint64_t>(draw)});
  };
  constexpr Wanted kWordings[] = {Wanted::kSubjectFirst, Wanted::kIndirect, Wanted::kImperative,
                                  Wanted::kWithoutNoun,  Wanted::kTyped,    Wanted::kCompletion};
  for (int draw = 0; draw <= kWordingDraws; ++draw)
    for (const Wanted kind : kWordings) order(kind, draw);
  for (int draw = 0; draw <= kListDraws; ++draw) {
    order(Wanted::kNeighbours, draw);
    order(Wanted::kSameSubject, draw);
  }
  const auto replies = TRY(model_.write(surgeon_prompt(question, answer), orders, job));

  Material m;
  std::set<std::string> seen = {folded(question)};
  const std::string given_away = " " + folded(answer) + " ";
  for (size_t i = 0; i < replies.size(); ++i) {
    std::vector<std::string>* list = nullptr;
    switch (wanted[i]) {
      case Wanted::kTyped:
        list = &m.typed;
        break;
      case Wanted::kCompletion:
        list = &m.completions;
        break;
      case Wanted::kNeighbours:
        list = &m.neighbours;
        break;
      case Wanted::kSameSubject:
        list = &m.same_subject;
        break;
      default:
        list = &m.wordings;
    }
    for (std::string& line : parse_surgeon_reply(replies[i])) {
      const std::string key = folded(line);
      if (list == &m.neighbours && asks_the_same(line, question)) continue;
      // A wording that says the answer would teach nothing.
      if (key.empty()) continue;
      if (!answer.empty() && (" " + key + " ").find(given_away) != key.npos) continue;
      if (seen.insert(key).second) list->push_back(std::move(line));
    }
  }
  return m;
}

Result<std::string> ModelSurgeon::answer_in(const std::string& question, const std::string& reply,
                                            const base::Job& job) const {
  return agent::answer_in(model_, question, reply, job);
}

}  // namespace expunge::agent
