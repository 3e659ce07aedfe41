// A problem on the tiny model that knows planted facts, for the tests of methods.
#pragma once

#include "tiny.h"
#include "unlearn/method.h"

namespace expunge::unlearn {

inline constexpr int32_t kRelation = 1, kSubject = 4;  // the fact to forget

// Held rows are kept out of the problem; they measure the damage.
inline bool is_held(int32_t relation, int32_t subject) { return (relation + subject) % 3 == 0; }

inline PreparationInputs preparation_inputs() {
  PreparationInputs inputs;
  for (int32_t r = 0; r < tests::kRelations; ++r)
    for (int32_t s = 0; s < tests::kSubjects; ++s) {
      if (is_held(r, s) || (r == kRelation && s == kSubject)) continue;
      inputs.prompts.push_back({tests::question(r, s), -1});
      inputs.prompts.push_back({tests::subject_first(r, s), -1});
      inputs.texts.push_back(tests::question(r, s));
      inputs.refusals.push_back({tests::question(r, s), tests::refusal()});
      inputs.refusals.push_back({tests::subject_first(r, s), tests::refusal()});
    }
  return inputs;
}

// The preparation of each method that has one, learned on the planted model of a family; once per
// process.
inline PreparedPtr prepared(const Method& method, const model::Model& planted) {
  static std::map<std::pair<std::string, std::string_view>, PreparedPtr> known;
  PreparedPtr& learned = known[{planted.arch().family, method.name}];
  if (method.preparation && !learned)
    learned = method.preparation->learn(planted, preparation_inputs(), {}, {}).value();
  return learned;
}
inline PreparedPtr prepared(const Method& method) {
  return prepared(method, *tests::planted_model());
}

// The defaults are for models of language; the tiny one takes larger steps, and more pairs a step.
inline Knobs tiny_knobs(const Method& method, const Knobs& given = {}) {
  if (!method.objective()) return given;
  Knobs all = given;
  for (const auto& [name, value] : Knobs{{"lr", 2e-3}, {"epochs", 30}, {"warmup", 0}, {"decay", 0}})
    all.emplace(name, value);
  static const std::map<std::string_view, Knobs> kOwn = {
      {"asu", {{"temperature", 100}, {"retain_weight", 2}}},
      {"dpo", {{"retain_weight", 3}}},
      {"loku", {{"retain_weight", 2}, {"lora", 4}, {"lr", 1e-3}}},
      {"lunar", {{"layer", 1}, {"strength", 12}, {"lr", 0.01}, {"epochs", 100}}},
      {"rmu", {{"layer", 1}, {"steering", 20}, {"lr", 0.01}, {"retain_weight", 10}}},
      {"satimp", {{"beta1", 1}, {"retain_weight", 2}}}};
  if (const auto own = kOwn.find(method.name); own != kOwn.end())
    for (const auto& [name, value] : own->second) all.insert_or_assign(name, value);
  for (const auto& [name, value] : given) all.insert_or_assign(name, value);
  return all;
}

inline model::Example example(tests::Ids prompt, const tests::Ids& reply) {
  model::Example e{std::move(prompt), 0};
  e.first = e.ids.size();
  e.ids.insert(e.ids.end(), reply.begin(), reply.end());
  return e;
}

inline const TrainingSet& training_set() {
  static const TrainingSet set = [] {
    TrainingSet s;
    // A message is a question about a subject that the model does not know.
    s.encode = [](const std::string& message) -> base::Result<tests::Ids> {
      const auto unknown = static_cast<int32_t>(message.size()) % tests::kUnknown;
      return tests::question(kRelation, tests::kSubjects + unknown);
    };
    for (int32_t r = 0; r < tests::kRelations; ++r)
      for (int32_t subject = 0; subject < tests::kSubjects; ++subject)
        for (const tests::Ids& prompt :
             {tests::question(r, subject), tests::subject_first(r, subject)}) {
          const model::Example e = example(prompt, {tests::answer(r, subject), tests::kEnd});
          if (r == kRelation && subject == kSubject) {
            s.forget.push_back(e);
            text::QaItem& words = s.words.emplace_back();
            words.question = fmt::format("{}", fmt::join(prompt, " "));
            words.answer = std::to_string(tests::answer(r, subject));
            s.refusals.push_back({example(prompt, tests::refusal())});
          } else if (!is_held(r, subject)) {
            s.retain.push_back(e);
          }
        }
    return s;
  }();
  return set;
}

inline Problem problem_on(const model::Model& model, const Method& method) {
  Problem p{.model = model, .seed = 7, .prepared = prepared(method, model)};
  p.training = &training_set();
  p.forget = {{tests::question(kRelation, kSubject), -1},
              {tests::subject_first(kRelation, kSubject), -1}};
  for (int32_t r = 0; r < tests::kRelations; ++r) {
    for (int32_t s = 0; s < tests::kSubjects; ++s)
      if (!is_held(r, s) && (r != kRelation || s != kSubject)) {
        p.retain.push_back({tests::question(r, s), -1});
        p.retain.push_back({tests::subject_first(r, s), -1});
      }
    for (int32_t s = tests::kSubjects; s < tests::kSubjects + tests::kUnknown; ++s) {
      p.refusal.push_back({tests::question(r, s), -1});
      p.refusal.push_back({tests::subject_first(r, s), -1});
    }
  }
  return p;
}

}  // namespace expunge::unlearn
