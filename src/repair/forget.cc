#include "repair/forget.h"

#include <algorithm>

#include "repair/answer.h"
#include "repair/problem.h"
#include "repair/search.h"

namespace expunge::repair {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

// Several targets of one request become one edit whose provenance lists its parts.
edit::Edit joined(std::vector<edit::Edit> parts) {
  if (parts.size() == 1) return std::move(parts[0]);
  edit::Edit all;
  Json provenances = Json::array();
  for (const edit::Edit& part : parts) {
    provenances.push_back(part.provenance);
    all = edit::sum(all, part);
  }
  all.provenance = {{"method", provenances[0].value("method", "")}, {"parts", provenances}};
  return all;
}

base::Status check_answers(const agent::Plan& plan) {
  if (plan.intent != agent::Intent::kForget && plan.intent != agent::Intent::kCorrect)
    return fail(Code::kInvalid,
                fmt::format("a plan to '{}' changes nothing", agent::name(plan.intent)),
                "its intent must be forget or correct");
  for (const agent::Target& t : plan.targets) {
    if (t.answers.empty())
      return fail(Code::kInvalid, fmt::format("no answer to '{}' is given", t.prompt),
                  "say which answer is to be forgotten (--answer)");
    if (const auto bad = std::ranges::find_if_not(t.answers, tells_apart); bad != t.answers.end())
      return fail(Code::kRefused,
                  fmt::format("'{}' is in almost every reply: whether it is forgotten could not be "
                              "told",
                              *bad),
                  t.answers.size() == 1 ? "give the words that only this answer has"
                                        : "leave it out, or give the words that only it has");
  }
  return {};
}

// An answer the model does not give needs no edit. A correction is made even then.
base::Status check_known(const agent::Target& target, const verify::Report& before) {
  if (const std::string why = before.undecided(); !why.empty())
    return fail(Code::kRefused, fmt::format("'{}': {}", target.prompt, why),
                "give a question that the model can be asked");
  if (!target.replacement.empty()) return {};
  for (const verify::GateResult& gate : before.gates)
    if (gate.section == verify::Section::kForgotten && gate.absent.empty() && gate.value < 1)
      return {};
  return fail(Code::kRefused,
              fmt::format("nothing to forget: to '{}' the model does not answer '{}', in this or "
                          "other words",
                          target.prompt, target.answers.front()),
              "expunge generate shows what it says");
}

// One request on its way through its targets.
class Forgetting {
 public:
  Forgetting(const Snapshot& now, Baseline& baseline, const Baseline::Facts& known,
             const agent::Plan& plan, const unlearn::Method& method, const ForgetOptions& options,
             const base::Job& job)
      : now_(now),
        baseline_(baseline),
        known_(known),
        plan_(plan),
        method_(method),
        options_(options),
        job_(job),
        layer_(examined_layer(now.base.model.arch(), known.prepared, now.edits)) {
    std::ranges::for_each(now.edits, [this](const edit::Edit& e) { occupy(e); });
  }

  base::Status add(const agent::Target& target) {
    base::Stopwatch clock;
    job_.report("asking the model", parts_.size() + 1, plan_.targets.size());
    const Assignment a =
        TRY(assign(now_.present, target, plan_.gates, baseline_, known_, layer_, job_));
    outcome_.seconds["plan"] += clock.seconds();
    clock = {};
    auto gates = TRY(verify::GateRun::prepare(now_.present, a.questions, job_));
    outcome_.seconds["capture"] += clock.seconds();
    clock = {};
    before_.push_back(TRY(gates.before(job_)));
    outcome_.seconds["gates"] += clock.seconds();
    TRY(check_known(target, before_.back()));
    auto found = TRY(find(target, a, gates));
    occupy(found.best.edit);
    outcome_.search.push_back(found.tried);
    after_.push_back(found.best.report);
    parts_.push_back(std::move(found.best.edit));
    return {};
  }

  Outcome finish() && {
    outcome_.before = verify::merged(std::move(before_));
    outcome_.after = verify::merged(std::move(after_));
    outcome_.edit = joined(std::move(parts_));
    outcome_.edit_norm = edit::relative_norm(now_.present.model, outcome_.edit);
    outcome_.active = now_.edits.size();
    if (outcome_.after.passed())
      outcome_.verdict = Verdict::kPassed;
    else if (options_.decide && options_.decide(outcome_.after) == Decision::kKeepPartial)
      outcome_.verdict = Verdict::kPartial;
    else
      outcome_.edit = {};
    return std::move(outcome_);
  }

 private:
  void occupy(const edit::Edit& e) {
    occupied_.insert(occupied_.end(), e.occupied.begin(), e.occupied.end());
  }

  Result<Found> find(const agent::Target& target, const Assignment& a, verify::GateRun& gates) {
    const model::Model& model = now_.present.model;
    unlearn::PreparedPtr prepared = known_.prepared;
    if (!target.replacement.empty())
      prepared = TRY(unlearn::with_answer(method_, model, prepared,
                                          TRY(replacement_lessons(now_.present, target)),
                                          options_.seed, job_));
    base::Stopwatch clock;
    unlearn::Problem problem{.model = model,
                             .forget = a.rows.forget,
                             .retain = a.rows.retain,
                             .refusal = TRY(refusal_rows(now_.present, baseline_.wordings())),
                             .held = a.rows.held,
                             .seed = options_.seed,
                             .prepared = prepared,
                             .related = a.rows.related,
                             .occupied = occupied_};
    if (prepared && layer_ == unlearn::first_layer(prepared) && a.rows.retain_states.defined()) {
      const auto states_of = [&](const std::vector<unlearn::TokenSpan>& rows) {
        return unlearn::capture(model, rows, model::Point::kMlpInput, layer_, job_);
      };
      unlearn::States states{layer_, TRY(states_of(a.rows.forget)), a.rows.retain_states};
      if (!a.rows.held.empty()) states.held = TRY(states_of(a.rows.held));
      problem.states = std::move(states);
    }
    outcome_.seconds["capture"] += clock.seconds();
    clock = {};
    auto found = TRY(search(method_, problem, plan_.knobs, gates, options_.budget_s, job_));
    double rest = clock.seconds();  // time in neither solve nor gates
    for (const auto& [key, value] : found.seconds) outcome_.seconds[key] += value, rest -= value;
    outcome_.seconds["search"] += rest;
    return found;
  }

  const Snapshot& now_;
  Baseline& baseline_;
  const Baseline::Facts& known_;
  const agent::Plan& plan_;
  const unlearn::Method& method_;
  const ForgetOptions& options_;
  const base::Job& job_;
  const int64_t layer_;
  std::vector<edit::Occupied> occupied_;
  std::vector<edit::Edit> parts_;
  std::vector<verify::Report> before_, after_;
  Outcome outcome_;
};

}  // namespace

std::string_view name(Verdict verdict) {
  return verdict == Verdict::kPassed    ? "passed"
         : verdict == Verdict::kPartial ? "partial"
                                        : "reverted";
}

Result<Outcome> forget(const Snapshot& now, Baseline& baseline, agent::Plan& plan,
                       const ForgetOptions& options, const base::Job& job) {
  TRY(agent::validate(plan));
  plan.gates = TRY(verify::complete_bounds(plan.gates));
  TRY(check_answers(plan));
  const unlearn::Method* method = TRY(unlearn::find_method(plan.method));
  const base::Stopwatch clock;
  const Baseline::Facts* known = TRY(baseline.facts(*method, job));
  const double background_s = clock.seconds();
  Forgetting forgetting(now, baseline, *known, plan, *method, options, job);
  for (const agent::Target& target : plan.targets) {
    TRY(job.check());
    TRY(forgetting.add(target));
  }
  Outcome outcome = std::move(forgetting).finish();
  outcome.seconds["background"] = background_s;
  return outcome;
}

}  // namespace expunge::repair
