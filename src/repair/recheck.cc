#include "repair/recheck.h"

#include "repair/problem.h"
#include "verify/gate_run.h"
#include "verify/reveals.h"

namespace expunge::repair {

using base::Result;

namespace {

// Of one target: its gates under the model that is checked.
using Examine =
    std::function<Result<verify::Report>(const agent::Target& target, const agent::Plan& plan,
                                         const Baseline::Facts& known, int64_t layer)>;

Result<std::vector<Verified>> verify_each(const Snapshot& now, Baseline& baseline,
                                          std::span<const journal::Entry> entries,
                                          const Examine& examine, const base::Job& job) {
  std::vector<Verified> results;
  for (const journal::Entry& e : entries) {
    const agent::Plan plan = TRY(agent::plan_from_json(e.plan));
    const unlearn::Method* method = TRY(unlearn::find_method(plan.method));
    const Baseline::Facts* known = TRY(baseline.facts(*method, job));
    const int64_t layer = examined_layer(now.base.model.arch(), known->prepared, now.edits);
    std::vector<verify::Report> reports;
    for (const agent::Target& target : plan.targets) {
      TRY(job.check());
      job.report("verifying", results.size() + 1, entries.size());
      reports.push_back(TRY(examine(target, plan, *known, layer)));
    }
    results.push_back({e.id, verify::merged(std::move(reports))});
  }
  return results;
}

}  // namespace

bool has_questions(const journal::Entry& e) {
  return !e.sealed && e.plan.is_object() && !e.plan.empty();
}

Result<std::vector<Recheck>> recheck(const model::ChatModel& model,
                                     std::span<const journal::Entry> entries, size_t at_most,
                                     const base::Job& job) {
  std::vector<Recheck> checks;
  std::vector<verify::Question> questions;
  std::vector<size_t> owner;
  for (auto e = entries.rbegin(); e != entries.rend() && checks.size() < at_most; ++e) {
    if (!has_questions(*e)) continue;
    const auto plan = agent::plan_from_json(e->plan);
    if (!plan) continue;
    checks.push_back({e->id, 0, 0});
    for (const agent::Target& t : plan->targets) {
      questions.push_back({t.prompt, "", t.answers});
      owner.push_back(checks.size() - 1);
      if (t.held.empty()) continue;
      questions.push_back({t.held[0].prompt, t.held[0].prefill, t.answers});
      owner.push_back(checks.size() - 1);
    }
  }
  TRY(job.check());
  if (questions.empty()) return checks;
  const auto replies = TRY(ask(model, questions, verify::kReplyTokens, job));
  for (size_t i = 0; i < questions.size(); ++i) {
    Recheck& check = checks[owner[i]];
    ++check.asked;
    check.forgotten += !verify::reveals(replies[i], questions[i].answers);
  }
  return checks;
}

Result<std::vector<Verified>> verify(const Snapshot& now, Baseline& baseline,
                                     std::span<const journal::Entry> entries,
                                     const base::Job& job) {
  const Examine examine = [&](const agent::Target& target, const agent::Plan& plan,
                              const Baseline::Facts& known,
                              int64_t layer) -> Result<verify::Report> {
    const Assignment a = TRY(assign(now.base, target, plan.gates, baseline, known, layer, job));
    auto run = TRY(verify::GateRun::prepare(now.base, a.questions, job));
    return run.examine(now.present.model, job);
  };
  return verify_each(now, baseline, entries, examine, job);
}

Result<std::vector<Verified>> verify_written(const Snapshot& now, Baseline& baseline,
                                             const model::ChatModel& written,
                                             std::span<const journal::Entry> entries,
                                             const base::Job& job) {
  const Examine examine = [&](const agent::Target& target, const agent::Plan& plan,
                              const Baseline::Facts& known,
                              int64_t layer) -> Result<verify::Report> {
    const Assignment a = TRY(assign(now.base, target, plan.gates, baseline, known, layer, job));
    return verify::examine(now.base, written, a.questions, job);
  };
  return verify_each(now, baseline, entries, examine, job);
}

}  // namespace expunge::repair
