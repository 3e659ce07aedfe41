// The search: which edit of a ladder of settings passes the gates, and by the widest margin.
#pragma once

#include "repair/problem.h"
#include "unlearn/method.h"
#include "verify/gate_run.h"

namespace expunge::repair {

struct Candidate {
  edit::Edit edit;
  verify::Report report;
};
struct Found {
  Candidate best;
  base::Json tried = base::Json::array();  // knobs and figures of every candidate
  std::map<std::string, double> seconds;   // solve, gates
};

// The better of two: fewer failed gates first, then the smaller sum of what is missing, then more
// forgotten and kept.
bool better(const verify::Report& a, const verify::Report& b);

// Starts at the method's measured defaults (or the plan's knobs) and goes stronger or milder by
// what failed. Ends when all gates pass and those that aim at every question have all of them, when
// the ladder ends, or when the budget is spent; at least one candidate is examined.
base::Result<Found> search(const unlearn::Method& method, const unlearn::Problem& problem,
                           const unlearn::Knobs& knobs, verify::GateRun& gates, double budget_s,
                           const base::Job& job);

}  // namespace expunge::repair
