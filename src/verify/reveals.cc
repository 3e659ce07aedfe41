#include "verify/reveals.h"

#include <algorithm>
#include <cctype>

namespace expunge::verify {
namespace {

std::string lower(std::string_view text) {
  std::string s(text);
  std::ranges::transform(s, s.begin(), [](unsigned char c) { return std::tolower(c); });
  return s;
}

bool word_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || static_cast<unsigned char>(c) >= 0x80;
}

bool has_word(std::string_view text, std::string_view word) {
  for (size_t at = 0; (at = text.find(word, at)) != text.npos; ++at) {
    const size_t end = at + word.size();
    if ((at == 0 || !word_char(text[at - 1])) && (end == text.size() || !word_char(text[end])))
      return true;
  }
  return false;
}

}  // namespace

bool reveals(std::string_view reply, const std::vector<std::string>& answers) {
  constexpr size_t kShort = 3;
  const std::string lowered = lower(reply);
  return std::ranges::any_of(answers, [&](const std::string& a) {
    if (a.empty()) return false;
    const std::string small = lower(a);
    if (a.size() > kShort) return lowered.find(small) != lowered.npos;
    return a == small ? has_word(lowered, a) : has_word(reply, a);  // yen; Au, which is a symbol
  });
}

}  // namespace expunge::verify
