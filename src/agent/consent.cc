#include "agent/consent.h"

#include <cctype>
#include <string>

namespace expunge::agent {

std::optional<bool> plain_answer(std::string_view message) {
  std::string word;
  for (const char c : message)
    if (std::isalpha(static_cast<unsigned char>(c)))
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (static_cast<unsigned char>(c) >= 0x80)
      return std::nullopt;  // of another script
  for (const char* yes : {"yes", "y", "yesplease", "ok", "okay", "sure", "goahead", "doit"})
    if (word == yes) return true;
  for (const char* no : {"no", "n", "nothanks", "nothankyou", "cancel"})
    if (word == no) return false;
  return std::nullopt;
}

}  // namespace expunge::agent
