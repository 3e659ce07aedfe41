#include "repair/search.h"

namespace expunge::repair {
namespace {

using base::Result;
using unlearn::Knobs;
using verify::Report;

double missing(const Report& r) {
  double total = 0;
  for (const verify::Gate& g : r.gates)
    if (!g.passed()) total -= g.margin();
  return total;
}

double value(const Report& r, std::string_view gate) {
  const verify::Gate* g = r.find(gate);
  return g && g->absent.empty() ? g->value : 1.0;
}

double kept(const Report& r) {
  return value(r, "neighbours") + value(r, "same_subject") + value(r, "unrelated");
}

// Nothing to be gained by another setting.
bool clean(const Report& r) {
  return r.passed() && value(r, "paraphrases") == 1.0 && value(r, "neighbours") == 1.0;
}

// Later settings depend on what the first one failed: too weak, or too wide.
const std::vector<unlearn::Step>& ladder(const unlearn::Method& method, const Report& first) {
  const bool leaks = value(first, "exact") < 1 || value(first, "paraphrases") < 1 ||
                     !first.find("probing")->passed();
  return leaks ? method.stronger : method.milder;
}

}  // namespace

bool better(const Report& a, const Report& b) {
  if (a.n_failed() != b.n_failed()) return a.n_failed() < b.n_failed();
  if (a.n_failed() > 0 && missing(a) != missing(b)) return missing(a) < missing(b);
  const double forgotten_a = value(a, "paraphrases") + value(a, "probing"),
               forgotten_b = value(b, "paraphrases") + value(b, "probing");
  return forgotten_a + kept(a) > forgotten_b + kept(b);
}

Result<Found> search(const unlearn::Method& method, const unlearn::Problem& problem,
                     const Knobs& given, verify::Examiner& examiner, double budget_s,
                     const base::Job& job) {
  Found found;
  const base::Stopwatch clock;
  const auto examine = [&](const Knobs& knobs) -> base::Status {
    const base::Stopwatch solve;
    TRY(job.check());
    job.report("editing", found.tried.size() + 1);
    Candidate c{TRY(unlearn::propose(method, problem, knobs)), {}};
    found.seconds["solve"] += solve.seconds();
    const base::Stopwatch gates;
    job.report("asking the gates", found.tried.size() + 1);
    c.report = TRY(examiner.examine(TRY(edit::apply(problem.model, c.edit))));
    found.seconds["gates"] += gates.seconds();
    base::Json figures = base::Json::object();
    for (const verify::Gate& g : c.report.gates)
      if (g.absent.empty()) figures[g.name] = g.value;
    found.tried.push_back({{"knobs", c.edit.provenance["knobs"]},
                           {"passed", c.report.passed()},
                           {"figures", std::move(figures)}});
    if (found.tried.size() == 1 || better(c.report, found.best.report)) found.best = std::move(c);
    return {};
  };
  const Knobs start = TRY(unlearn::complete(method, given));
  TRY(examine(start));
  if (clean(found.best.report)) return found;
  for (const unlearn::Step& step : ladder(method, found.best.report)) {
    if (clock.seconds() > budget_s || clean(found.best.report)) break;
    const Knobs knobs = unlearn::after(method, start, step);
    if (knobs != start) TRY(examine(knobs));
  }
  return found;
}

}  // namespace expunge::repair
