// TOFU (Maini et al. 2024, arXiv 2401.06121): the suite whose records several metrics share.
#pragma once

#include <string>
#include <vector>

#include "service/suites.h"
#include "verify/metric.h"

namespace expunge::service {

// A model or log that never saw the forget set is read when the first model is evaluated.
base::Result<Work> prepare_tofu(const SuiteInput& input);
// {"summary", "absent"} of records from anywhere; of `metrics` alone, none = all that can be had.
base::Result<base::Json> figures_of(verify::Evaluation evaluation,
                                    const std::vector<std::string>& metrics);

}  // namespace expunge::service
