// What the service returns, as JSON: one codec a type, for --json and for whoever serves the same.
// The keys are those of docs/commands.md.
#pragma once

#include "service/session.h"

namespace expunge::service {

base::Json to_json(const repair::Outcome& outcome, verify::Detail detail);
base::Json to_json(const Undone& undone);
base::Json to_json(const std::vector<repair::Recheck>& rechecks);
}  // namespace expunge::service
