// What was forgotten, asked again: earlier entries after a change, and the gates of an entry.
#pragma once

#include "journal/journal.h"
#include "repair/forget.h"

namespace expunge::repair {

struct Verified {
  int64_t entry = 0;
  verify::Report now;
};

// An entry whose plan gives questions: neither sealed nor made by a training, whose sets the
// journal does not store.
bool has_questions(const journal::Entry& entry);

// The exact question of each entry that has one, and one held wording, asked of `model`: the last
// `at_most` of them.
base::Result<std::vector<Recheck>> recheck(const model::ChatModel& model,
                                           std::span<const journal::Entry> entries, size_t at_most,
                                           const base::Job& job = {});

// The gates of entries, each with questions: kept replies are compared with the unedited model.
base::Result<std::vector<Verified>> verify(const Snapshot& now, Baseline& baseline,
                                           std::span<const journal::Entry> entries,
                                           const base::Job& job = {});
// The same for a `written` model that has the edits of `now`.
base::Result<std::vector<Verified>> verify_written(const Snapshot& now, Baseline& baseline,
                                                   const model::ChatModel& written,
                                                   std::span<const journal::Entry> entries,
                                                   const base::Job& job = {});

}  // namespace expunge::repair
