// What a person is shown of a plan and of its gates.
#pragma once

#include <string>

#include "agent/plan.h"
#include "cli/terminal.h"
#include "journal/journal.h"
#include "service/session.h"
#include "verify/report.h"

namespace expunge::cli {

// The table of gates, before against after; `before` may be null.
std::string gate_table(const Terminal& terminal, const verify::Report* before,
                       const verify::Report& after);
// Every question of the gates with its reply, cut to the width.
std::string reply_list(const Terminal& terminal, const verify::Report& report);
// "paraphrases 0.50, at least 0.66 is needed; …" of the gates that failed.
std::string failures(const verify::Report& report);
// "Forget: Q 'What is the capital of France?' answer 'Paris'", one line a target.
std::string proposal(const agent::Plan& plan);

// "earlier requests asked again: 4 of 4 forgotten"; "" if none was.
std::string recheck_line(const Terminal& terminal, const std::vector<repair::Recheck>& rechecks);

}  // namespace expunge::cli
