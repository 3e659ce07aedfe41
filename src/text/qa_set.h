// Question–answer sets as TOFU ships them (arXiv 2401.06121): JSON lines, or one JSON array, of
// question and answer, with a paraphrase and wrong answers where truth ratios are measured.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace expunge::text {

struct QaItem {
  int64_t row = 0;  // among the file's items, from 0
  std::string question, answer;
  std::optional<std::string> paraphrased;  // paraphrased_answer
  std::vector<std::string> perturbed;      // perturbed_answer, or the other options (option1, …)
};

// The first `limit` items; 0 = all. Errors name file, line (item, in an array) and key; an empty
// question or answer is an error, since every figure would count it.
base::Result<std::vector<QaItem>> read_qa(const std::string& path, size_t limit = 0);

// Whether `split` itself names a file, so that no folder is looked into.
bool is_qa_path(const std::string& split);
// The file of a split: `split` itself if it names one, else the first of split + an ending in the
// folder `data` that exists.
inline constexpr std::string_view kPlainSet[] = {".json"};
base::Result<std::string> qa_file(const std::string& data, const std::string& split,
                                  std::span<const std::string_view> endings = kPlainSet);

}  // namespace expunge::text
