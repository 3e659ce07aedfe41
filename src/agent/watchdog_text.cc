#include "agent/watchdog_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "agent/watchdog_openings.h"
#include "base/utf8.h"

namespace expunge::agent {

using base::Char;

namespace {

constexpr size_t kMaxWords = 600;

// Bytes that are not UTF-8 count as one character each.
Char char_at(std::string_view s, size_t at) {
  const Char c = base::char_at(s, at);
  return c.size > 0 ? c : Char{0xFFFD, 1};
}

void append(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

bool is_cjk(uint32_t c) { return (c >= 0x3400 && c <= 0x9FFF) || (c >= 0x3040 && c <= 0x30FF); }
bool is_break(uint32_t c) {
  return c == '.' || c == '!' || c == '?' || c == ';' || c == '\n' || c == 0x3002 || c == 0xFF01 ||
         c == 0xFF1F || c == 0xFF1B || c == 0x2026;
}
bool is_letter(uint32_t c) {
  if (c < 0x80) return std::isalnum(static_cast<int>(c)) || c == '_' || c == '#' || c == '@';
  if (c < 0xC0 || c == 0xD7 || c == 0xF7) return c == 0xAA || c == 0xB5 || c == 0xBA;
  return !(c >= 0x2000 && c <= 0x206F) && !(c >= 0x3000 && c <= 0x303F) &&
         !(c >= 0xFF00 && c <= 0xFF20) && c != 0xFFFD;
}
uint32_t lower(uint32_t c) {
  if (c < 0x80) return static_cast<uint32_t>(std::tolower(static_cast<int>(c)));
  return c >= 0xC0 && c <= 0xDE && c != 0xD7 ? c + 0x20 : c == 0x152 ? 0x153 : c;
}

// The closing mark of an opening quotation mark, or 0.
uint32_t closing(uint32_t c) {
  switch (c) {
    case '"':
      return '"';
    case 0x201C:
      return 0x201D;  // “ ”
    case 0x201E:
      return 0x201C;  // „ “
    case 0xAB:
      return 0xBB;  // « »
    case 0x300C:
      return 0x300D;  // 「 」
    case 0x300A:
      return 0x300B;  // 《 》
    default:
      return 0;
  }
}

// Where quotations and code end. A mark that was not found is not searched again, so that all
// searches together take time linear in the text.
class Masks {
 public:
  explicit Masks(std::string_view text) : s_(text) {}

  // End of the quotation or code that opens with character `c` at `at`, or `at` if none does.
  size_t end(size_t at, Char c) {
    if (s_.substr(at).starts_with("```")) {
      const size_t close = s_.find("```", at + 3);
      return close == s_.npos ? s_.size() : close + 3;
    }
    if (unclosed_.contains(c.code)) return at;
    const size_t end = c.code == '\'' ? end_of_single(at) : end_of_other(at, c);
    if (end == s_.npos) unclosed_.insert(c.code);
    return end == s_.npos ? at : end;
  }

 private:
  // An apostrophe opens a quotation only between a blank and a word.
  size_t end_of_single(size_t at) const {
    if (at > 0 && s_[at - 1] != ' ' && s_[at - 1] != ':' && s_[at - 1] != '\n') return at;
    for (size_t close = s_.find('\'', at + 1); close != s_.npos; close = s_.find('\'', close + 1))
      if (close + 1 == s_.size() || !std::isalnum(static_cast<unsigned char>(s_[close + 1])))
        return close > at + 2 ? close + 1 : at;
    return s_.npos;
  }
  size_t end_of_other(size_t at, Char c) const {
    const uint32_t close = c.code == '`' ? '`' : closing(c.code);
    if (close == 0) return at;
    for (size_t i = at + c.size; i < s_.size();) {
      const Char d = char_at(s_, i);
      i += d.size;
      // German closes with the mark that opens in English, and careless writers with either.
      if (d.code == close || (c.code == 0x201E && d.code == 0x201D)) return i;
    }
    return s_.npos;
  }

  std::string_view s_;
  std::set<uint32_t> unclosed_;  // opening marks without a closing one in the rest of the text
};

void split_elision(std::vector<Word>& words) {  // l'oublies -> l, oublies
  static constexpr std::array<std::string_view, 9> kElided = {"l", "d", "j", "m", "t",
                                                              "s", "n", "c", "qu"};
  Word& word = words.back();
  const size_t mark = word.text.find('\'');
  if (mark == word.text.npos || mark + 1 == word.text.size()) return;
  if (std::ranges::find(kElided, std::string_view(word.text).substr(0, mark)) == kElided.end())
    return;
  Word rest = word;
  rest.text = word.text.substr(mark + 1);
  rest.begin = word.end - rest.text.size();
  word.end = rest.begin;
  word.text.resize(mark);
  words.push_back(std::move(rest));
}

// "Dr.", "Co.", "Ursula K.": a full stop that does not end a sentence.
bool abbreviates(std::span<const Word> words, std::string_view message) {
  static constexpr std::array<std::string_view, 12> kShort = {
      "dr", "mr", "mrs", "ms", "prof", "st", "co", "no", "vs", "jr", "sr", "inc"};
  if (words.empty()) return false;
  const Word& last = words.back();
  if (last.text.size() == 1)
    return std::isupper(static_cast<unsigned char>(message[last.begin])) && last.text != "i";
  return std::ranges::find(kShort, last.text) != kShort.end() &&
         std::isupper(static_cast<unsigned char>(message[last.begin]));
}

}  // namespace

std::vector<Word> words_of(std::string_view s) {
  std::vector<Word> words;
  Masks masks(s);
  for (size_t at = 0; at < s.size();) {
    const Char c = char_at(s, at);
    if (const size_t end = masks.end(at, c); end > at) {
      words.push_back({c.code == '`' ? "<code>" : "<quote>", at, end});
      at = end;
    } else if (is_cjk(c.code)) {
      words.push_back({std::string(s.substr(at, c.size)), at, at + c.size});
      at += c.size;
    } else if (is_letter(c.code)) {
      Word word{{}, at, at};
      while (at < s.size()) {
        Char d = char_at(s, at);
        const bool apostrophe = d.code == '\'' || d.code == 0x2019;
        const bool joins = apostrophe || d.code == '-';
        if (joins && at + d.size < s.size()) {
          const Char next = char_at(s, at + d.size);
          if (!is_letter(next.code) || is_cjk(next.code)) break;
          append(word.text, apostrophe ? '\'' : '-');
        } else if ((d.code == '.' || d.code == ',') && at + 1 < s.size() && at > 0 &&
                   std::isdigit(static_cast<unsigned char>(s[at - 1])) &&
                   std::isdigit(static_cast<unsigned char>(s[at + 1]))) {
          append(word.text, d.code);
        } else if (!is_letter(d.code) || is_cjk(d.code)) {
          break;
        } else {
          append(word.text, lower(d.code));
        }
        at += d.size;
      }
      word.end = at;
      words.push_back(std::move(word));
      split_elision(words);
    } else {
      at += c.size;
      if (c.code == ' ' || c.code == '\t' || c.code == '\r' || c.code == 0xA0) continue;
      Word mark{std::string(s.substr(at - c.size, c.size)), at - c.size, at};
      if (c.code == 0xFF0C || c.code == 0x3001) mark.text = ",";
      if (c.code == 0xFF1A) mark.text = ":";
      if (c.code == 0xFF1F) mark.text = "?";
      if (c.code == 0x2013 || c.code == 0x2014) mark.text = "-";
      mark.breaks = is_break(c.code) && !(c.code == '.' && abbreviates(words, s));
      if (c.code == '.' && !mark.breaks) continue;
      words.push_back(std::move(mark));
    }
  }
  if (words.size() > kMaxWords) words.erase(words.begin(), words.end() - kMaxWords);
  mark_openings(words);
  return words;
}

Pattern::Phrase phrase_of(std::string_view text) {
  Pattern::Phrase phrase;
  for (size_t at = 0; at < text.size();) {
    const Char c = char_at(text, at);
    if (is_cjk(c.code)) {
      phrase.emplace_back(text.substr(at, c.size));
    } else if (c.code != ' ' && c.code != '+') {
      if (phrase.empty() || (at > 0 && (text[at - 1] == ' ' || text[at - 1] == '+' ||
                                        is_cjk(char_at(phrase.back(), 0).code))))
        phrase.emplace_back();
      phrase.back().append(text.substr(at, c.size));
    }
    at += c.size;
  }
  return phrase;
}

}  // namespace expunge::agent
