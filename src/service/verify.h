// The gates of active entries, asked again: of the present weights, or of a model that was written.
#pragma once

#include <string>
#include <vector>

#include "base/job.h"
#include "service/session.h"

namespace expunge::service {

struct VerifyRequest {
  int64_t entry = 0;  // 0 = all active ones
  // The sets of a training, which the journal does not store: a file or a split of `data`; "" = not
  // given. An entry is asked if it was trained on them, as their hashes tell.
  std::string forget = {}, retain = {}, data = "data/tofu";
};
struct VerifyResult {
  size_t sealed = 0;   // active entries that were not asked, since their words are gone
  size_t trained = 0;  // trainings whose set was not given: not asked
  std::vector<repair::Verified> entries;
  bool passed() const;
};
// Errors: kNotFound (no such active entry, or none trained on `forget`), kConflict (trained with
// another `retain`), kUnsupported (sealed), kUsage (a training without its sets).
base::Result<VerifyResult> verify(Session& session, const VerifyRequest& request,
                                  const base::Job& job);
// Of a model that has the active edits, read from a file.
base::Result<VerifyResult> verify_written(Session& session, const model::ChatModel& written,
                                          const base::Job& job);

}  // namespace expunge::service
