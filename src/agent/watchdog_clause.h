// Tests of single words, and slices of a message: shared by the watchdog's spans and facts.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "agent/watchdog_text.h"

namespace expunge::agent {

using WordSet = std::set<std::string, std::less<>>;

inline bool any_of(std::string_view word, std::initializer_list<std::string_view> set) {
  return std::ranges::find(set, word) != set.end();
}

inline bool is_copula(std::string_view w) {
  return any_of(w, {"is", "are", "was", "were", "es", "son", "era", "est", "sont", "était", "ist",
                    "sind", "war", "是", "叫", "equals"});
}

inline bool is_upper(std::string_view message, const Word& w) {
  const auto c = static_cast<unsigned char>(message[w.begin]);
  return std::isupper(c) || c == 0xC3;
}

inline bool is_mark(const Word& w) {
  return w.breaks || any_of(w.text, {",", ":", "-", "(", ")", "/"});
}

// Bytes of words [a, b) of the message.
inline std::string slice(std::string_view message, std::span<const Word> words, size_t a,
                         size_t b) {
  if (a >= b || b > words.size()) return {};
  return std::string(message.substr(words[a].begin, words[b - 1].end - words[a].begin));
}

// Without the quotation marks around it, outer blanks and full stops at its end.
inline std::string unquoted(std::string_view text) {
  for (const std::string_view mark : {"\"", "“", "”", "„", "«", "»", "「", "」", "'"}) {
    if (text.starts_with(mark)) text.remove_prefix(mark.size());
    if (text.ends_with(mark)) text.remove_suffix(mark.size());
  }
  const size_t first = text.find_first_not_of(' '), last = text.find_last_not_of(" .");
  if (first == text.npos || last == text.npos) return {};
  return std::string(text.substr(first, last + 1 - first));
}

}  // namespace expunge::agent
