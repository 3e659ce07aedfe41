#include "repair/search.h"

#include <algorithm>

namespace expunge::repair {
namespace {

using base::Result;
using unlearn::Knobs;
using verify::GateResult;
using verify::Report;
using verify::Section;

double missing(const Report& r) {
  double total = 0;
  for (const GateResult& g : r.gates)
    if (!g.passed()) total -= g.margin();
  return total;
}

// Shares of what is forgotten and kept together.
double shares(const Report& r) {
  double total = 0;
  for (const GateResult& g : r.gates)
    if (g.section != Section::kLanguage) total += g.absent.empty() ? g.value : 1.0;
  return total;
}

bool reaches_its_aim(const GateResult& g) {
  const verify::Gate* gate = verify::find_gate(g.name);
  const bool every = gate && gate->aim == verify::Aim::kEvery && g.absent.empty();
  return g.passed() && (!every || g.value == 1);
}

// No other setting can improve it.
bool clean(const Report& r) { return r.passed() && std::ranges::all_of(r.gates, reaches_its_aim); }

// Later settings depend on what the first one failed: too weak, or too wide.
const std::vector<unlearn::Step>& ladder(const unlearn::Method& method, const Report& first) {
  const bool leaks = std::ranges::any_of(first.gates, [](const GateResult& g) {
    return g.section == Section::kForgotten && !reaches_its_aim(g);
  });
  return leaks ? method.stronger : method.milder;
}

}  // namespace

bool better(const Report& a, const Report& b) {
  if (a.n_failed() != b.n_failed()) return a.n_failed() < b.n_failed();
  if (a.n_failed() > 0 && missing(a) != missing(b)) return missing(a) < missing(b);
  return shares(a) > shares(b);
}

Result<Found> search(const unlearn::Method& method, const unlearn::Problem& problem,
                     const Knobs& given, verify::GateRun& gates, double budget_s,
                     const base::Job& job) {
  Found found;
  const base::Stopwatch clock;
  const auto examine = [&](const Knobs& knobs) -> base::Status {
    const base::Stopwatch solve;
    TRY(job.check());
    job.report("editing", found.tried.size() + 1);
    Candidate c{TRY(unlearn::propose(method, problem, knobs, job)), {}};
    found.seconds["solve"] += solve.seconds();
    const base::Stopwatch asking;
    job.report("asking the gates", found.tried.size() + 1);
    c.report = TRY(gates.examine(TRY(edit::apply(problem.model, c.edit)), job));
    found.seconds["gates"] += asking.seconds();
    base::Json figures = base::Json::object();
    for (const GateResult& g : c.report.gates)
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
