// Words of a text, for comparing texts; no reading of what they mean.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace expunge::agent {

struct Word {
  std::string text;           // lower case (Latin letters)
  size_t begin = 0, end = 0;  // bytes in the text
};

// Runs of letters and digits, apostrophes, hyphens and decimal signs within them included; "#"
// before a number too. Each Chinese or Japanese character is a word of its own.
std::vector<Word> words_of(std::string_view text);
// Its words, a blank between two: texts that differ in case and punctuation only become equal.
std::string folded(std::string_view text);
// Articles, pronouns, question words and the like, of some languages.
bool is_function_word(std::string_view word);

}  // namespace expunge::agent
