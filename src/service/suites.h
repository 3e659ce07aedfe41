// The suites of expunge eval: from the user's options to the work on a model.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/run.h"
#include "service/evaluation.h"
#include "tensor/group.h"

namespace expunge::service {

struct SuiteInput {
  std::string data = "data/tofu";   // file or folder
  size_t limit = 0;                 // of items (mcq: of each subject), of tokens (ppl); 0 = all
  std::string examples;             // mcq: worked examples; "" = none
  int64_t context = 0, stride = 0;  // ppl
  // tofu
  std::string forget = "forget10", retain = "retain", holdout;
  std::vector<std::string> sets, metrics;  // none = all
  std::string retain_model, retain_logs, system, parity = "none";
  std::string retain_file;  // where the records of retain_model are kept; "" = nowhere
  int64_t max_new_tokens = 200;
  bool no_generation = false;
  base::Progress progress;
  tensor::Group* group = nullptr;  // its processes share the items
};

struct Suite {
  std::string_view name, what, needs, source;
  // Reads the data; what is wrong with them or the options is told before a model is loaded.
  base::Result<Work> (*prepare)(const SuiteInput& input);
};
std::span<const Suite> suites();

}  // namespace expunge::service
