// A text as the letters that a reader sees: case, accents, compatibility forms and look-alike
// characters folded (data/guard/fold.tsv), what is invisible dropped, each letter with its place.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace expunge::guard {

// kSign stands for a letter wherever it is, kMark is punctuation first: "B@sil", "Bas!l".
enum class Kind : uint8_t { kLetter = 1, kDigit = 2, kSign = 4, kMark = 8 };
// What stands between two letters; invisible characters are nothing.
enum class Gap : uint8_t { kNone = 0, kBlank = 1, kPunctuation = 2, kBoth = 3 };
inline Gap operator|(Gap a, Gap b) { return static_cast<Gap>(int(a) | int(b)); }

struct Unit {
  char32_t letter;
  uint32_t begin, end;  // bytes of the text
  Kind kind;
  Gap gap = Gap::kNone;   // before it
  bool is_upper = false;  // ASCII capitals only
  bool is_ascii = true;
};

// Of invalid UTF-8 the valid parts; a stray byte separates. A character may be several units.
std::vector<Unit> fold(std::string_view text);
// The letters and digits alone.
std::u32string fold_letters(std::string_view text);

// The letters that a digit, a sign or a drawn character may stand for: '1' for "ilj".
std::string_view stands_for(char32_t c);
// The same for all that may stand for each other, so that an automaton finds candidates.
char32_t coarse(char32_t c);
// Whether the letter of a name may be written as this unit.
bool may_be(const Unit& unit, char32_t letter);
// Of a script that puts no blanks between words.
bool is_unspaced(char32_t letter);

}  // namespace expunge::guard
