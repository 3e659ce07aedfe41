// The watchdog's figures over a labelled file: what `expunge bench watchdog FILE` prints.
#pragma once

#include "agent/watchdog.h"

namespace expunge::agent {

// Keys:
//   items           dialogues
//   found           requests (forget, correct) recognised as one of the two
//   requests        all of them
//   misses          requests taken for none, undo or status
//   false_alarms    the others taken for forget or correct
//   exact           dialogues with the right one of the five intents
//   targets         {requests, count, prompt, response, replacement, whole, spurious} over the
//                   requests found with the right intent; prompt: at least 60 % of the label's key
//                   words; response and replacement: one contains the other, "" only equals ""
//   matrix          {intents, rows}: rows[i][j] = labelled i, read as j
//   hard            {items, false_alarms, right}: the hard negatives by themselves
//   categories      per category of the notes: {items, right}
//   languages       per language of the notes: {items, right}
//   sure            {items, right}: readings after which the user need not be asked
//   latency_ms      {median, p99} of a reading, the model's prefill included
//   hidden          width of the hidden features, 0 = cues and words only
//   cross_validated true: FILE is the training set, and each item was read by a watchdog trained
//                   without it (10 folds, stratified, fixed). The cues were written with it in
//                   sight, so figures on other dialogues are lower.
//   failures        every wrong item: {id, labelled, read, confidence, note}
//   trained_on      dialogues of FILE that the watchdog was trained on; their figures flatter it
//
// A file of other dialogues: each is read as a chat reads it.
base::Result<base::Json> bench_watchdog(std::span<const Example> items,
                                        const ModelWatchdog& watchdog, const base::Job& job = {});
// builtin_examples(), each read by a watchdog that was trained without it.
base::Result<base::Json> cross_validate_watchdog(const Features& features = {},
                                                 const base::Job& job = {});
// The same dialogues with the same labels as builtin_examples(), in any order.
bool is_builtin(std::span<const Example> items);

// True if a predicted target means what the label means, in the terms above.
bool same_prompt(std::string_view predicted, std::string_view label);
bool same_span(std::string_view predicted, std::string_view label);

}  // namespace expunge::agent
