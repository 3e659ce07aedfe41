// The watchdog's figures over a labelled file: what `expunge bench watchdog FILE` prints.
#pragma once

#include "agent/watchdog/examples.h"

namespace expunge::agent {

// Shares from 0 to 1:
//   found         of the requests (forget, correct) those recognised as one of the two
//   false_alarms  of the others those taken for forget or correct
//   intent        dialogues with the right one of the five intents
//   targets       of the requests found with the right intent those that are right as a whole: as
//                 many targets, and of each question, answer and replacement
//   questions, answers   of these requests' targets. A question is right with at least 60 % of the
//                 label's key words; a span if one contains the other, "" only if both are
// and counts: items; counts {items, right, requests, found, false_alarms, whole}, the same by
// category and language of the notes; target_counts {requests, count, prompt, response,
// replacement, whole, spurious}; matrix {intents, rows}: rows[i][j] = labelled i, read as j;
// sure {items, right, false_alarms}: readings after which the user need not be asked;
// latency_ms {median, p99} of a reading; readings {id, labelled, p}: p of the five intents;
// failures: whatever is wrong, with what was wanted and read.
base::Result<base::Json> bench_watchdog(std::span<const Example> items, const LanguageModel& model,
                                        const base::Job& job = {});

// True if a predicted target means what the label means, in the terms above.
bool same_prompt(std::string_view predicted, std::string_view label);
bool same_span(std::string_view predicted, std::string_view label);

}  // namespace expunge::agent
