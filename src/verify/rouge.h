// ROUGE-N and ROUGE-L of two texts: the numbers of the PyPI package rouge-score 0.1.2, bit for bit.
//
// C.-Y. Lin, "ROUGE: a package for automatic evaluation of summaries", 2004: ROUGE-N is eq. 1
// (clipped n-gram counts), ROUGE-L eq. 2 to 4 with beta = 1 (longest common subsequence).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace expunge::verify {

enum class Stemming { kNone, kPorter };  // Porter: words of more than three characters

struct Rouge {
  double precision = 0, recall = 0, f1 = 0;
};

using Words = std::vector<std::string>;
// Runs of ASCII letters and digits, lower case; every other character separates. To score several
// kinds of ROUGE, a text is split once.
Words rouge_words(std::string_view text, Stemming stemming);

Rouge rouge_n(size_t n, std::span<const std::string> target,
              std::span<const std::string> prediction);
Rouge rouge_l(std::span<const std::string> target, std::span<const std::string> prediction);

}  // namespace expunge::verify
