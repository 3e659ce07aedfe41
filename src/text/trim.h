// A text without its outer blanks.
#pragma once

#include <string_view>

namespace expunge::text {

// ASCII white space, as C's isspace has it.
inline std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n\f\v";
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

}  // namespace expunge::text
