#include "unlearn/method.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "unlearn/train.h"

#include "tables/methods.inc"  // made by the build from methods/*.cc

namespace expunge::unlearn {

using base::Code;
using base::fail;

base::Result<States> states_at(const Problem& p, int64_t layer) {
  if (p.states && p.states->layer == layer) return *p.states;
  const auto rows = [&](const std::vector<TokenSpan>& of) {
    return capture(p.model, of, model::Point::kMlpInput, layer);
  };
  States states{layer, TRY(rows(p.forget)), TRY(rows(p.retain))};
  if (!p.held.empty()) states.held = TRY(rows(p.held));
  return states;
}

std::vector<const Method*> methods() { return {std::begin(kMethods), std::end(kMethods)}; }

base::Result<const Method*> find_method(std::string_view name) {
  std::string known;
  for (const Method* m : kMethods) {
    if (m->name == name) return m;
    known += (known.empty() ? "" : ", ") + std::string(m->name);
  }
  return fail(Code::kUsage, fmt::format("no method '{}'", name), "methods: " + known);
}

namespace {

base::Result<const Knob*> find_knob(const Method& method, std::string_view name) {
  const auto knob = std::ranges::find(method.knobs, name, &Knob::name);
  if (knob != method.knobs.end()) return &*knob;
  return fail(Code::kUsage, fmt::format("{} has no knob '{}'", method.name, name),
              "see expunge methods");
}

// "0 to 64", or "delta, replace or metric (0 to 2)".
std::string values_of(const Knob& knob) {
  std::string names;
  for (size_t i = 0; i < knob.choices.size(); ++i)
    names += (i == 0                         ? ""
              : i + 1 == knob.choices.size() ? " or "
                                             : ", ") +
             std::string(knob.choices[i]);
  const std::string range = fmt::format("{} to {}", knob.low, knob.high);
  return names.empty() ? range : fmt::format("{} ({})", names, range);
}

bool has_refusals(const TrainingSet& set) {
  return set.refusals.size() == set.forget.size() &&
         std::ranges::none_of(set.refusals, [](const auto& r) { return r.empty(); });
}

bool has_words(const TrainingSet& set) {
  return set.words.size() == set.forget.size() && set.encode;
}

// What each need is called where it is not met.
struct Need {
  Needs need;
  std::string_view what;
  bool (*is_met)(const Problem&);
};
constexpr Need kNeeds[] = {
    {Needs::kRetain, "retain rows", [](const Problem& p) { return !p.retain.empty(); }},
    {Needs::kRefusal, "refusal prompts", [](const Problem& p) { return !p.refusal.empty(); }},
    {Needs::kPreparation, "what it learns of the model first",
     [](const Problem& p) { return p.prepared != nullptr; }},
    {Needs::kExamples, "examples to forget",
     [](const Problem& p) { return p.training && !p.training->forget.empty(); }},
    {Needs::kRetainExamples, "examples to keep: a retain set",
     [](const Problem& p) { return p.training && !p.training->retain.empty(); }},
    {Needs::kRefusalExamples, "refusals for the examples to forget",
     [](const Problem& p) { return p.training && has_refusals(*p.training); }},
    {Needs::kWords, "the words of the examples to forget",
     [](const Problem& p) { return p.training && has_words(*p.training); }},
};

// What is needed and missing in the problem; "" if nothing.
std::string_view lacks(const Problem& p, Needs need) {
  const auto known = std::ranges::find(kNeeds, need, &Need::need);
  CHECK(known != std::end(kNeeds));
  return known->is_met(p) ? "" : known->what;
}

}  // namespace

std::vector<Needs> needs(const Method& method) {
  std::vector<Needs> all;
  if (const Objective* objective = method.objective()) {
    all.push_back(Needs::kExamples);
    for (const Uses use : objective->uses)
      all.push_back(use == Uses::kRetain    ? Needs::kRetainExamples
                    : use == Uses::kRefusal ? Needs::kRefusalExamples
                                            : Needs::kWords);
  } else {
    all = std::get<ClosedForm>(method.how).rows;
  }
  if (method.preparation) all.push_back(Needs::kPreparation);
  return all;
}

base::Result<double> knob_value(const Method& method, std::string_view name,
                                std::string_view text) {
  const Knob* knob = TRY(find_knob(method, name));
  const auto choice = std::ranges::find(knob->choices, text);
  if (choice != knob->choices.end())
    return knob->low + static_cast<double>(choice - knob->choices.begin());
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && stop == text.data() + text.size()) return value;
  return fail(Code::kUsage, fmt::format("{} is '{}', expected {}", name, text, values_of(*knob)),
              "'expunge methods' lists each method's knobs");
}

base::Result<Knobs> complete(const Method& method, const Knobs& given) {
  Knobs knobs;
  for (const Knob& k : method.knobs) knobs[std::string(k.name)] = k.fallback;
  for (const auto& [name, value] : given) {
    const Knob* knob = TRY(find_knob(method, name));
    if (!std::isfinite(value) || value < knob->low || value > knob->high ||
        (!knob->choices.empty() && value != std::floor(value)))
      return fail(Code::kUsage, fmt::format("{} is {}, expected {}", name, value, values_of(*knob)),
                  "'expunge methods' lists each method's knobs");
    knobs[name] = value;
  }
  return knobs;
}

Knobs after(const Method& method, Knobs knobs, const Step& step) {
  for (const KnobChange& change : step) {
    const auto knob = std::ranges::find(method.knobs, change.knob, &Knob::name);
    CHECK(knob != method.knobs.end());
    double& value = knobs.at(std::string(change.knob));
    value = change.how == KnobChange::How::kSet ? change.value : value * change.value;
    value = std::clamp(value, knob->low, knob->high);
  }
  return knobs;
}

base::Result<PreparedPtr> prepare(const Method& method, const model::Model& model,
                                  const PreparationSource& source, const base::Job& job) {
  if (!method.preparation) return PreparedPtr();
  return prepare(method.name, *method.preparation, model, source, job);
}

base::Result<PreparedPtr> with_answer(const Method& method, const model::Model& model,
                                      const PreparedPtr& prepared,
                                      const std::vector<Lesson>& lessons, uint64_t seed,
                                      const base::Job& job) {
  if (!method.preparation) return prepared;
  CHECK(prepared);
  return method.preparation->with_answer(model, *prepared, lessons, seed, job);
}

int64_t first_layer(const PreparedPtr& prepared) {
  return prepared ? std::max<int64_t>(prepared->first_layer(), 1) : 1;
}

namespace {

base::Result<edit::Edit> trained(const Objective& objective, const Problem& problem,
                                 const Knobs& knobs, const base::Job& job) {
  if (!objective.prepare) return train(objective, problem, knobs, job);
  const TrainingSet set = TRY(objective.prepare(problem, knobs, job));
  Problem own = problem;
  own.training = &set;
  return train(objective, own, knobs, job);
}

}  // namespace

base::Result<edit::Edit> propose(const Method& method, const Problem& problem, const Knobs& given,
                                 const base::Job& job) {
  const Knobs knobs = TRY(complete(method, given));
  const Objective* objective = method.objective();
  if (!objective && problem.forget.empty())
    return fail(Code::kInvalid, "nothing to forget: no forget rows");
  for (const Needs need : needs(method))
    if (const std::string_view missing = lacks(problem, need); !missing.empty())
      return fail(Code::kInvalid, fmt::format("{} needs {}", method.name, missing));
  TRY(job.check());
  edit::Edit edit = objective ? TRY(trained(*objective, problem, knobs, job))
                              : TRY(std::get<ClosedForm>(method.how).propose(problem, knobs, job));
  edit.provenance["method"] = method.name;
  edit.provenance["knobs"] = knobs;
  edit.provenance["seed"] = problem.seed;
  return edit;
}

}  // namespace expunge::unlearn
