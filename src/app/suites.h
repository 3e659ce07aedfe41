// The suites of expunge eval besides TOFU: one text, table or set of sequences each, one pass.
#pragma once

#include <span>
#include <string>

#include "base/json.h"
#include "base/run.h"
#include "model/patient.h"

namespace expunge::app {

struct SuiteInput {
  std::string data;      // file or folder
  std::string examples;  // mcq: worked examples; "" = none
  size_t limit = 0;      // of items (mcq: of each subject), of tokens (ppl); 0 = all
  int64_t context = 0, stride = 0;
  base::Progress progress;
};

struct Suite {
  std::string_view name, what, needs, source;
  // {"summary", "records", "absent"?}; null for tofu, whose records several metrics share.
  base::Result<base::Json> (*run)(const model::Patient& patient, const SuiteInput& input);
};
std::span<const Suite> suites();

}  // namespace expunge::app
