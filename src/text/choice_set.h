// Multiple-choice questions: MMLU's tables (Hendrycks et al., arXiv 2009.03300) and JSON lines as
// WMDP (Li et al., arXiv 2403.03218) and MMLU have them on the Hugging Face hub.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace expunge::text {

inline constexpr size_t kMaxOptions = 26;  // one a letter

struct ChoiceItem {
  int64_t row = 0;  // among its file's items, from 0
  std::string subject, question;
  std::vector<std::string> options;  // 2 to kMaxOptions
  size_t right = 0;                  // index of the right one
  std::string file = {};             // where it was read, for messages
};

// A file, or a folder of such files: .csv with question, options and answer, with or without a
// header, whose name gives the subject (abstract_algebra_test.csv); .json or .jsonl with lines of
// {"question", "choices": [], "answer", "subject"}, the file's name standing in for a subject. An
// answer is a letter or an index from 0. The first `limit` items of each subject; 0 = all.
// Errors name file and line.
base::Result<std::vector<ChoiceItem>> read_choices(const std::string& path, size_t limit = 0);

}  // namespace expunge::text
