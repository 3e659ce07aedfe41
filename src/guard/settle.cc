// What of a text may be said although it goes on.
#include <algorithm>

#include "guard/search.h"

namespace expunge::guard {
namespace {

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

// A word as prose has it; anything else could be a part of something encoded.
bool is_prose(std::string_view word) {
  constexpr std::string_view kBefore = "([\"'`*_", kAfter = ".,;:!?)]\"'`*_";
  while (!word.empty() && kBefore.find(word.front()) != kBefore.npos) word.remove_prefix(1);
  while (!word.empty() && kAfter.find(word.back()) != kAfter.npos) word.remove_suffix(1);
  if (word.size() < 3)  // two hexadecimal digits are none, nor are signs alone: they may be Morse
    return word == "I" || word == "a" ||
           (word.size() == 2 && (is_lower(word[0]) || is_upper(word[0])) && is_lower(word[1]) &&
            word.find_first_not_of("abcdefABCDEF") != word.npos);
  const bool all_upper = std::none_of(word.begin(), word.end(), is_lower);
  for (size_t i = 0; i < word.size(); ++i) {
    const char c = word[i];
    const bool is_first = i == 0 || word[i - 1] == '-' || word[i - 1] == '\'';
    const bool fits = is_lower(c) || (is_upper(c) && (is_first || all_upper)) ||
                      ((c == '-' || c == '\'') && !is_first) ||
                      static_cast<unsigned char>(c) >= 0x80;
    if (!fits) return false;
  }
  return true;
}

// Where the encoded words at the end of the text begin; a word among them may look like prose.
size_t encoded_from(std::string_view text) {
  size_t hold = text.size(), at = text.size();
  size_t prose = 0;
  for (bool is_last = true; at > 0 && prose < 4; is_last = false) {
    while (at > 0 && is_blank(text[at - 1])) --at;
    size_t begin = at;
    while (begin > 0 && !is_blank(text[begin - 1]) &&
           static_cast<unsigned char>(text[begin - 1]) < 0x80)
      --begin;
    if (begin == at) break;  // a character outside ASCII
    if (is_last || !is_prose(text.substr(begin, at - begin))) {
      hold = begin;
      prose = 0;
    } else {
      const bool is_group = (at - begin) % 4 == 0;  // of base64: some look so
      prose += is_group ? 1 : 2;
      if (is_group) hold = begin;
    }
    at = begin;
  }
  return hold;
}

class Settling {
 public:
  Settling(const Index& index, std::string_view tail) : index_(index), tail_(tail) {}

  size_t run() && {
    hold_ = encoded_from(tail_);
    const View view{.text = std::string(tail_)};
    letters(view, true);
    for (const Reader read : {read_escapes, read_markup, read_drawn, read_joined, read_rot47,
                              read_keys_left, read_keys_right})
      if (const auto other = read(view))
        letters(*other, read == read_escapes || read == read_markup);
    return hold_;
  }

 private:
  void hold(const View& view, const Unit& unit) {
    hold_ = std::min<size_t>(hold_, view.span(unit.begin, unit.end).begin);
  }

  void letters(const View& view, bool fuzzy) {
    const std::vector<Unit> units = fold(view.text);
    for (const Reads which : {Reads::kLetters, Reads::kDigits, Reads::kSigns, Reads::kMarks})
      begun(view, units, which, index_.words);
    begun(view, squeeze(units), Reads::kDigits, index_.words);
    if (fuzzy) last(view, units);
    shifted(view, units);
    interleaved(view, units);
    if (view.spans.empty()) spelled_out(view, units);
  }

  // The longest beginning of a name at the end.
  void begun(const View& view, std::span<const Unit> units, Reads which, const Automaton& words) {
    std::vector<uint32_t> read;
    uint32_t state = Automaton::kStart;
    for (size_t i = 0; i < units.size(); ++i) {
      if (!reads(which, units[i])) continue;
      read.push_back(uint32_t(i));
      state = words.next(state, coarse(units[i].letter));
    }
    const size_t depth = words.depth(state);
    if (depth > 0) hold(view, units[read[read.size() - depth]]);
  }

  // As many letters as a misspelled name may have but one.
  void last(const View& view, std::span<const Unit> units) {
    for (const Reads which : {Reads::kDigits, Reads::kSigns}) {
      size_t left = index_.longest;
      for (size_t i = units.size(); i-- > 0 && left > 1;)
        if (reads(which, units[i])) {
          --left;
          hold(view, units[i]);
        }
    }
  }

  void shifted(const View& view, std::span<const Unit> units) {
    std::vector<uint32_t> read;
    uint32_t state = Automaton::kStart;
    for (size_t i = 0; i < units.size(); ++i) {
      const char32_t c = units[i].letter;
      if (units[i].kind != Kind::kLetter || c < 'a' || c > 'z') continue;
      if (!read.empty())
        state = index_.steps.next(state, 'a' + (c + 26 - units[read.back()].letter) % 26);
      read.push_back(uint32_t(i));
    }
    const size_t depth = index_.steps.depth(state) + 1;
    if (read.size() >= depth) hold(view, units[read[read.size() - depth]]);
  }

  void interleaved(const View& view, std::span<const Unit> units) {
    for (const std::vector<Unit>& every : stride(view.text, units))
      begun(view, every, Reads::kDigits, index_.plain);
  }

  void spelled_out(const View& view, std::span<const Unit> units) {
    const Picks picks = pick(view.text, units);
    constexpr size_t kNear = 64;
    for (const auto* picked : {&picks.alone, &picks.alone_but_a, &picks.words}) {
      if (picked->empty() || picked->back().end + kNear < tail_.size()) continue;
      std::span<const Unit> read = *picked;
      spelled(view, read);
      // The last may become another word.
      if (read.back().end == tail_.size()) spelled(view, read.first(read.size() - 1));
    }
  }

  void spelled(const View& view, std::span<const Unit> read) {
    const bool is_alone = read.size() == 1 || (read.size() > 1 && read.back().gap != Gap::kNone);
    if (!is_alone || !is_word(read.back())) begun(view, read, Reads::kLetters, index_.words);
  }

  // "a dog", "I think": a letter that is a word of the sentence, not the first of a spelling.
  bool is_word(const Unit& unit) const {
    const std::string_view letter = tail_.substr(unit.begin, unit.end - unit.begin);
    const std::string_view after = tail_.substr(unit.end);
    if (letter != "a" && letter != "A" && letter != "I") return false;
    if (after.size() < 5 || after[0] != ' ') return false;
    for (const std::string_view spelling : {" as ", " is ", " for ", " in ", " like "})
      if (after.starts_with(spelling)) return false;
    return true;
  }

  const Index& index_;
  std::string_view tail_;
  size_t hold_ = 0;
};

}  // namespace

size_t Scanner::settled(std::string_view text) const {
  if (index_->targets.empty()) return text.size();
  // Each letter of a name may take this many bytes, as the binary code of an escape does.
  const size_t most = 256 + 24 * index_->longest;
  size_t from = text.size() - std::min(text.size(), most);
  while (from < text.size() && from > 0 && (text[from] & 0xC0) == 0x80) ++from;
  return from + Settling(*index_, text.substr(from)).run();
}

}  // namespace expunge::guard
