// What a person is shown of a plan and of its gates.
#pragma once

#include <string>

#include "agent/plan.h"
#include "app/terminal.h"
#include "journal/journal.h"
#include "repair/session.h"
#include "verify/report.h"

namespace expunge::app {

// The table of gates, before against after; `before` may be null.
std::string gate_table(const Terminal& terminal, const verify::Report* before,
                       const verify::Report& after);
// Every question of the gates with its reply, cut to the width.
std::string reply_list(const Terminal& terminal, const verify::Report& report);
// "paraphrases 0.50, at least 0.66 is needed; …" of the gates that failed.
std::string failures(const verify::Report& report);
// Reads what to_json(Report, …) wrote, as far as it is there.
verify::Report report_from_json(const base::Json& json);

// Made by a training: its sets, not its plan, are what can be asked again.
bool is_trained(const journal::Entry& entry);

// What a training left and what the answers of the sets that were named are worth now,
// {forget_prob, retain_prob}: the
// probability of those to forget is at most, that of those to keep at least what it was when the
// entry was made, but for a tenth of it and .01.
verify::Report trained_report(const journal::Entry& entry, const base::Json& now);

// "Forget: Q 'What is the capital of France?' answer 'Paris'", one line a target.
std::string proposal(const agent::Plan& plan);

// An edit's line in the log, without its number.
std::string title(const journal::Entry& entry);

base::Json to_json(const repair::Outcome& outcome, verify::Detail detail);
base::Json to_json(const repair::Undone& undone);
base::Json to_json(const std::vector<repair::Recheck>& rechecks);
// "earlier requests asked again: 4 of 4 forgotten"; "" if none was.
std::string recheck_line(const Terminal& terminal, const std::vector<repair::Recheck>& rechecks);

}  // namespace expunge::app
