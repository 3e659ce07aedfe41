#include "agent/words.h"

#include <algorithm>
#include <cctype>

#include "base/utf8.h"

namespace expunge::agent {
namespace {

using base::Char;

Char char_at(std::string_view s, size_t at) {
  const Char c = base::char_at(s, at);
  return c.size > 0 ? c : Char{0xFFFD, 1};
}
bool stands_alone(char32_t c) {
  return (c >= 0x3400 && c <= 0x9FFF) || (c >= 0x3040 && c <= 0x30FF);
}
bool is_letter(char32_t c) {
  if (c < 0x80) return std::isalnum(static_cast<int>(c)) != 0;
  if (c < 0xC0 || c == 0xD7 || c == 0xF7) return c == 0xAA || c == 0xB5 || c == 0xBA;
  return !(c >= 0x2000 && c <= 0x206F) && !(c >= 0x3000 && c <= 0x303F) &&
         !(c >= 0xFF00 && c <= 0xFF20) && c != 0xFFFD;
}
bool joins(char32_t c) { return c == '\'' || c == 0x2019 || c == '-' || c == '.' || c == ','; }
bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

void append_lower(std::string& out, std::string_view bytes, char32_t code) {
  if (code < 0x80)
    out += static_cast<char>(std::tolower(static_cast<int>(code)));
  else if (code >= 0xC0 && code <= 0xDE && code != 0xD7)  // À … Þ: two bytes, the second changes
    out += {bytes[0], static_cast<char>(bytes[1] + 0x20)};
  else
    out += bytes;
}

// The end of the word that begins at a letter.
size_t end_of_word(std::string_view s, size_t at, std::string& lower) {
  while (at < s.size()) {
    const Char c = char_at(s, at);
    if (is_letter(c.code) && !stands_alone(c.code)) {
      append_lower(lower, s.substr(at, c.size), c.code);
      at += c.size;
      continue;
    }
    if (!joins(c.code) || at + c.size >= s.size()) break;
    const bool number = c.code == '.' || c.code == ',';
    const Char next = char_at(s, at + c.size);
    if (number ? !(at > 0 && is_digit(s[at - 1]) && is_digit(s[at + 1]))
               : !is_letter(next.code) || stands_alone(next.code))
      break;
    lower += c.code == 0x2019 ? "'" : s.substr(at, c.size);
    at += c.size;
  }
  return at;
}

}  // namespace

std::vector<Word> words_of(std::string_view s) {
  std::vector<Word> words;
  for (size_t at = 0; at < s.size();) {
    const Char c = char_at(s, at);
    if (stands_alone(c.code)) {
      words.push_back({std::string(s.substr(at, c.size)), at, at + c.size});
      at += c.size;
    } else if (is_letter(c.code) || (c.code == '#' && at + 1 < s.size() && is_digit(s[at + 1]))) {
      Word word{c.code == '#' ? "#" : "", at, at};
      at = word.end = end_of_word(s, c.code == '#' ? at + 1 : at, word.text);
      words.push_back(std::move(word));
    } else {
      at += c.size;
    }
  }
  return words;
}

std::string folded(std::string_view text) {
  std::string out;
  for (const Word& w : words_of(text)) out += (out.empty() ? "" : " ") + w.text;
  return out;
}

bool is_function_word(std::string_view word) {
  static constexpr std::string_view kWords[] = {
      "the",    "a",      "an",   "of",   "in",   "on",   "at",   "to",    "for",    "by",
      "is",     "are",    "was",  "were", "be",   "it",   "its",  "it's",  "that",   "this",
      "these",  "those",  "and",  "or",   "but",  "so",   "you",  "your",  "i",      "my",
      "me",     "we",     "our",  "he",   "she",  "his",  "her",  "they",  "their",  "does",
      "do",     "did",    "has",  "have", "had",  "what", "who",  "where", "when",   "which",
      "how",    "why",    "with", "from", "as",   "not",  "no",   "yes",   "please", "can",
      "there",  "about",  "one",  "any",  "all",  "than", "just", "der",   "die",    "das",
      "ist",    "von",    "el",   "la",   "de",   "es",   "le",   "les",   "est",    "du",
      "un",     "une",    "l",    "d",    "c",    "的",   "是",   "了",    "在",     "forget",
      "answer", "memory", "said", "told", "know", "out",  "last", "again", "want"};
  return std::ranges::find(kWords, word) != std::end(kWords);
}

}  // namespace expunge::agent
