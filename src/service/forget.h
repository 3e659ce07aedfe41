// From what a user wants forgotten to plans, and what became of each.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/job.h"
#include "service/intent_reader.h"
#include "service/planning.h"

namespace expunge::service {

// "that the capital of France is Paris", in plain words.
struct Words {
  std::string text;
  std::string watchdog;  // who reads them, as IntentReader::make takes it
};
// Each request becomes one entry of the journal.
using Wish = std::variant<Words, std::vector<agent::Request>, agent::Plan>;

struct Planned {
  std::vector<agent::Plan> plans;
  std::string question;  // what the watchdog would ask before anything is done; "" if nothing
};
// Errors: kInvalid if the words do not name what is to be forgotten, kRefused for requests to
// forget everything, and those of make_plan.
base::Result<Planned> plan_wish(Session& session, Wish wish, const PlanOptions& options,
                                const base::Job& job);

// A sentence read and planned as a chat does it.
struct Heard {
  agent::Reading reading;
  std::optional<agent::Plan> plan;        // nothing unless it names what is to be forgotten
  std::map<std::string, double> seconds;  // watchdog, plan
};
base::Result<Heard> hear(Session& session, const IntentReader& reader, const std::string& sentence,
                         const base::Job& job = {});

// What became of one plan; no outcome: the user declined.
struct Carried {
  agent::Plan plan;
  std::optional<repair::Outcome> outcome;
  bool committed() const { return outcome && outcome->verdict != repair::Verdict::kReverted; }
};

}  // namespace expunge::service
