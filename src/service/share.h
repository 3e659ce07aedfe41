// An evaluation by several processes: each takes its share, the figures are of all records.
#pragma once

#include "base/json.h"
#include "tensor/group.h"
#include "verify/blocks.h"

namespace expunge::service {

verify::Share share_of(const tensor::Group* group);  // nullptr = everything

// {set: {row: record}} of all processes. Each of them calls this with its own.
base::Result<base::Json> joined(tensor::Group& group, const base::Json& own);

// pass(done, share) -> {"records", "summary", …} without computing again what `done` holds: the
// second pass over the records of all processes computes figures only.
template <class Pass>
base::Result<base::Json> in_shares(tensor::Group* group, const base::Json& done, const Pass& pass) {
  if (!group) return pass(done, verify::Share());
  const base::Json own = TRY(pass(done, share_of(group)));
  return pass(TRY(joined(*group, own["records"])), verify::Share());
}

}  // namespace expunge::service
