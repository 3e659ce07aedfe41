// The Porter stemmer as nltk's PorterStemmer has it (NLTK_EXTENSIONS, its default), which is what
// the rouge-score package stems with: M. F. Porter, "An algorithm for suffix stripping", 1980, with
// Porter's later changes and nltk's.
#pragma once

#include <string>
#include <string_view>

namespace expunge::verify {

// `word` of lower-case letters and digits; digits count as consonants.
std::string porter_stem(std::string_view word);

}  // namespace expunge::verify
