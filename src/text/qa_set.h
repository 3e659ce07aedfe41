// Question–answer sets as TOFU ships them (arXiv 2401.06121): JSON lines of question and answer,
// with a paraphrase and wrong answers where truth ratios are measured.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace expunge::text {

struct QaItem {
  int64_t row = 0;  // line of the file, from 0
  std::string question, answer;
  std::optional<std::string> paraphrased;  // paraphrased_answer
  std::vector<std::string> perturbed;      // perturbed_answer, or the other options (option1, …)
};

// The first `limit` items; 0 = all. Errors name file, line and key.
base::Result<std::vector<QaItem>> read_qa(const std::string& path, size_t limit = 0);

}  // namespace expunge::text
