// The contents of a journal's entries, and their present state. No weights are computed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "journal/journal.h"
#include "service/access.h"
#include "verify/report.h"

namespace expunge::service {

struct LoggedEntry {
  journal::Entry entry;
  bool active = false;    // its edit is in effect
  int64_t undone_by = 0;  // the entry that did it; 0 = none
};
struct Log {
  std::string journal;  // its path; "" = there is none yet
  std::vector<LoggedEntry> entries;
  std::vector<int64_t> active;  // in the order in which they apply
};
base::Result<Log> read_log(const journal::Journal& journal);
// Empty if there is no journal yet.
base::Result<Log> read_log(const Place& place);

// "active", "active, partial", "undone by 2", "undo".
std::string state_of(const LoggedEntry& entry);
// What it is about, in a line, without its number.
std::string title(const journal::Entry& entry);

struct EntryEvidence {
  LoggedEntry entry;
  verify::Report before, after;  // without gates where the entry has none
};
// Errors: kNotFound.
base::Result<EntryEvidence> read_entry(const Place& place, int64_t id);
base::Result<EntryEvidence> read_entry(const journal::Journal& journal, int64_t id);
// Takes its words out of the journal. Errors: kNotFound, and those of Journal::seal.
base::Status seal_entry(const Place& place, int64_t id);

// Made by a training: its sets, not its plan, are what can be asked again.
bool is_trained(const journal::Entry& entry);

// A training's figures when its entry was made and now, {forget_prob, retain_prob}: the probability
// of answers to forget may rise, that of answers to keep may fall, by at most a tenth of it plus
// .01.
verify::Report trained_report(const journal::Entry& entry, const base::Json& now);

}  // namespace expunge::service
