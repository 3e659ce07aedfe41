// A forget request: from a model and a plan to the edit that carries it out, with its evidence.
//
// Nothing is written: the outcome contains the edit, and the caller commits it or does not.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "agent/plan.h"
#include "repair/baseline.h"
#include "repair/snapshot.h"
#include "verify/report.h"

namespace expunge::repair {

enum class Verdict {
  kPassed,   // every gate passed
  kPartial,  // some gate failed; the edit is kept because the user chose so
  kReverted  // some gate failed; nothing changes
};
std::string_view name(Verdict verdict);

enum class Decision { kKeepPartial, kRevert };

struct ForgetOptions {
  // Called when the best edit fails a gate; empty = revert (nobody is there to choose).
  std::function<Decision(const verify::Report& best)> decide;
  double budget_s = 20;  // for the search
  uint64_t seed = 1;
};

// How an earlier entry stands now: its exact question and one held wording asked again.
struct Recheck {
  int64_t entry = 0;
  int64_t asked = 0, forgotten = 0;
};

struct Outcome {
  Verdict verdict = Verdict::kReverted;
  edit::Edit edit;               // empty if reverted
  verify::Report before, after;  // gates without and with the edit
  double edit_norm = 0;          // |ΔW| / |W| over the edited tensors
  // background, plan, capture, solve, search, gates; commit, recheck; total
  std::map<std::string, double> seconds;
  base::Json search = base::Json::array();  // every candidate with its figures

  // Filled in by the commit.
  int64_t entry = 0;             // of the journal; 0 if reverted
  size_t active = 0;             // edits in effect now
  std::vector<Recheck> earlier;  // entries sampled again
};

// Every target has answers. Errors: kRefused if the model does not give the answer anyway, or if
// the gates could not be run; kInvalid for a plan that changes nothing.
base::Result<Outcome> forget(const Snapshot& now, Baseline& baseline, agent::Plan& plan,
                             const ForgetOptions& options, const base::Job& job = {});

}  // namespace expunge::repair
