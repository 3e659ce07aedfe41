// The surgeon's library in the planted language: three relations over twelve subjects, asked in the
// ordinary way or with the subject first.
#pragma once

#include "agent/surgeon.h"
#include "agent/wordings.h"
#include "base/json.h"
#include "model/generate.h"
#include "tiny_chat.h"

namespace expunge::tests {

inline const agent::Wordings& planted_wordings() {
  static const agent::Wordings wordings = [] {
    using base::Json;
    // A form with its subject left open.
    const auto form = [](Ids ids, size_t subject, const std::string& open) {
      const std::string text = chars(ids);
      return text.substr(0, subject) + open + text.substr(subject + 1);
    };
    Json type = {{"entities", Json::array()}, {"other", Json::array()}};
    for (int32_t s = 0; s < kSubjects; ++s) type["entities"].push_back(chars({12 + s}));
    Json relations = Json::object();
    for (int32_t r = 0; r < kRelations; ++r) {
      const Ids ask = question(r, 0), first = subject_first(r, 0);
      type["other"].push_back(form(ask, 4, "{X}"));
      relations[fmt::format("relation{}", r)] = {
          {"type", "subject"},
          {"match", {"^" + form(ask, 4, "(.)") + "$", "^" + form(first, 1, "(.)") + "$"}},
          {"questions", {form(ask, 4, "{X}")}},
          {"first", {form(first, 1, "{X}")}},
          {"prefills", {""}}};
    }
    Json unrelated = Json::array();
    for (int32_t s = 6; s < kSubjects; ++s) unrelated.push_back(chars(question(2, s)));
    const Json json = {{"types", {{"subject", type}}},
                       {"relations", relations},
                       {"wrappers", {"{q}"}},
                       {"unrelated", unrelated},
                       {"prose", {chars(question(1, 10)), chars(subject_first(0, 11))}},
                       {"refusal", chars(refusal())},
                       {"refusal_begun", chars({kI})}};
    return agent::Wordings::parse(base::dump_json(json)).value();
  }();
  return wordings;
}

inline agent::Request planted_request(int32_t relation, int32_t subject) {
  agent::Request request;
  request.prompt = chars(question(relation, subject));
  request.response = chars({answer(relation, subject)});
  return request;
}

// Greedy replies to both forms of the question.
inline std::vector<std::string> planted_replies(const model::Model& model, int32_t relation,
                                                int32_t subject) {
  model::GenerateOptions options;
  options.max_new_tokens = 4;
  const std::vector<Ids> prompts = {question(relation, subject), subject_first(relation, subject)};
  std::vector<std::string> replies;
  const auto generated = model::generate(model, prompts, options).value();
  for (const auto& g : generated) replies.push_back(chars(g.ids));
  return replies;
}

}  // namespace expunge::tests
