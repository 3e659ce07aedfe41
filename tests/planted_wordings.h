// The surgeon's library in the planted language: three relations over twelve subjects, asked in the
// ordinary way or with the subject first.
#pragma once

#include "agent/surgeon/surgeon.h"
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
      relations[fmt::format("relation{}", r)] = {{"type", "subject"},
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

// Both forms of the question, the same of the other subjects, the subject's other relations.
inline agent::Material planted_material(int32_t relation, int32_t subject) {
  agent::Material m;
  m.wordings = {chars(question(relation, subject)), chars(subject_first(relation, subject))};
  for (int32_t s = 0; s < kSubjects; ++s)
    if (s != subject) m.neighbours.push_back(chars(question(relation, s)));
  for (int32_t r = 0; r < kRelations; ++r)
    if (r != relation) m.same_subject.push_back(chars(question(r, subject)));
  return m;
}

class PlantedSurgeon final : public agent::Surgeon {
 public:
  base::Result<agent::Material> write(const std::string& prompt, const std::string&,
                                      const base::Job& job) const override {
    TRY(job.check());
    for (int32_t r = 0; r < kRelations; ++r)
      for (int32_t s = 0; s < kSubjects; ++s)
        if (prompt == chars(question(r, s)) || prompt == chars(subject_first(r, s)))
          return planted_material(r, s);
    return agent::Material();
  }
  base::Result<std::string> answer_in(const std::string&, const std::string& reply,
                                      const base::Job&) const override {
    return reply;
  }
};
inline agent::Request planted_request(int32_t relation, int32_t subject) {
  agent::Request request;
  request.prompt = chars(question(relation, subject));
  request.response = chars({answer(relation, subject)});
  return request;
}

inline agent::Plan planted_plan(int32_t relation, int32_t subject) {
  const agent::Request request = planted_request(relation, subject);
  const agent::Material material = planted_material(relation, subject);
  return agent::make_plan(planted_wordings(), {&request, 1}, {&material, 1}).value();
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
