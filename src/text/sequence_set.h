// Sequences whose memorisation is measured (verify/extraction.h): texts, which any tokenizer
// encodes, and arrays of token ids, which fit the one tokenizer that made them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace expunge::text {

// A .csv with a header and a column "text" (as the sets of Jang et al., arXiv 2210.01504), or
// JSON lines of {"text": "…"}. The first `limit`; 0 = all. Errors name file and line.
base::Result<std::vector<std::string>> read_texts(const std::string& path, size_t limit = 0);

// NumPy arrays [rows, columns] of integers (.npy, format 1 to 3, little-endian, C order), whose
// rows are put together file after file: the training-data extraction challenge
// (github.com/google-research/lm-extraction-benchmark) ships the parts of its sequences, GPT-Neo's
// token ids, as preprefix, prefix and suffix. Errors name the file.
base::Result<std::vector<std::vector<int32_t>>> read_token_ids(std::span<const std::string> paths,
                                                               size_t limit = 0);

}  // namespace expunge::text
