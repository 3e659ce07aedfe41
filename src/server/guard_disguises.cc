#include "server/guard_disguises.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"
#include "server/guard_encodings.h"

namespace expunge::server {
namespace {

using Text = const std::string&;

std::vector<std::string> characters(Text text) {
  std::vector<std::string> out;
  for (size_t at = 0; at < text.size();) {
    const size_t size = std::max<size_t>(base::char_at(text, at).size, 1);
    out.push_back(text.substr(at, size));
    at += size;
  }
  return out;
}

// --- letters, each as another -------------------------------------------------------------------

std::string plain(Text text, Dice&) { return text; }

std::string in_case(Text text, Dice& dice) {
  std::string out = text;
  const size_t how = dice.below(3);
  for (char& c : out)
    c = how == 0 || (how == 1 && dice.one_in(2))
            ? static_cast<char>(std::toupper(static_cast<unsigned char>(c)))
            : lower_case(c);
  return out;
}

// One of the forms for every letter that has some; nothing for letters that stay.
using Forms = std::array<std::vector<std::string_view>, 26>;
std::string with_forms(Text text, const Forms& forms, size_t one_in, Dice& dice) {
  std::string out;
  for (const char c : text) {
    if (!is_latin(c) || forms[lower_case(c) - 'a'].empty() || !dice.one_in(one_in)) {
      out += c;
      continue;
    }
    out += dice.any(std::span<const std::string_view>(forms[lower_case(c) - 'a']));
  }
  return out;
}

std::string accents(Text text, Dice& dice) {
  static const Forms kForms = [] {
    Forms f;
    f['a' - 'a'] = {"á", "ä", "ã", "å", "ā"}, f['c' - 'a'] = {"ç", "č"};
    f['e' - 'a'] = {"é", "ë", "ê", "ē"}, f['i' - 'a'] = {"í", "ï", "î"};
    f['n' - 'a'] = {"ñ", "ń"}, f['o' - 'a'] = {"ó", "ö", "ô", "ø"};
    f['s' - 'a'] = {"š", "ś"}, f['u' - 'a'] = {"ú", "ü", "ů"};
    f['y' - 'a'] = {"ý", "ÿ"}, f['z' - 'a'] = {"ž", "ż"};
    return f;
  }();
  if (dice.one_in(2)) return with_forms(text, kForms, 1, dice);
  constexpr std::string_view kMarks[] = {"\u0301", "\u0308", "\u0302", "\u0303", "\u0331"};
  std::string out;
  for (const char c : text) {
    out += c;
    if (is_latin(c)) out += dice.any(kMarks);
  }
  return out;
}

std::string leet(Text text, Dice& dice) {
  static const Forms kForms = [] {
    Forms f;
    f['a' - 'a'] = {"4", "@"}, f['b' - 'a'] = {"8"}, f['e' - 'a'] = {"3"};
    f['g' - 'a'] = {"9"}, f['i' - 'a'] = {"1", "!"}, f['l' - 'a'] = {"1", "|"};
    f['o' - 'a'] = {"0"}, f['s' - 'a'] = {"5", "$"}, f['t' - 'a'] = {"7"}, f['z' - 'a'] = {"2"};
    return f;
  }();
  return with_forms(text, kForms, 1 + dice.below(2), dice);
}

std::string homoglyphs(Text text, Dice& dice) {
  static const Forms kForms = [] {
    Forms f;
    f['a' - 'a'] = {"а", "α"}, f['b' - 'a'] = {"Ь", "ᖯ"}, f['c' - 'a'] = {"с"};
    f['d' - 'a'] = {"ԁ"}, f['e' - 'a'] = {"е"}, f['h' - 'a'] = {"һ"}, f['i' - 'a'] = {"і", "ι"};
    f['j' - 'a'] = {"ј"}, f['k' - 'a'] = {"κ", "к"}, f['m' - 'a'] = {"м"}, f['n' - 'a'] = {"п"};
    f['o' - 'a'] = {"о", "ο"}, f['p' - 'a'] = {"р", "ρ"}, f['s' - 'a'] = {"ѕ"};
    f['t' - 'a'] = {"т", "τ"}, f['u' - 'a'] = {"υ"}, f['v' - 'a'] = {"ν"}, f['w' - 'a'] = {"ѡ"};
    f['x' - 'a'] = {"х"}, f['y' - 'a'] = {"у"};
    return f;
  }();
  if (dice.one_in(2)) return with_forms(text, kForms, 1 + dice.below(2), dice);
  // Alphabets of mathematics, full width, in circles: 26 small letters from one code on.
  constexpr uint32_t kFrom[] = {0x1D41A, 0x1D482, 0x1D5BA, 0x1D68A, 0xFF41, 0x24D0, 0x1D4EA};
  const uint32_t from = kFrom[dice.below(std::size(kFrom))];
  std::string out;
  for (const char c : text) {
    if (!is_latin(c)) {
      out += c;
      continue;
    }
    const uint32_t code = from + static_cast<uint32_t>(lower_case(c) - 'a');
    if (code >= 0x10000) out += static_cast<char>(0xF0 | (code >> 18));
    if (code >= 0x10000)
      out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    else
      out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
  return out;
}

// One slip of the hand in one of the longer words.
std::string typo(Text text, Dice& dice) {
  std::vector<size_t> places;  // inside a word of five letters or more, not at its ends
  for (size_t begin = 0; begin < text.size();) {
    size_t end = begin;
    while (end < text.size() && is_latin(text[end])) ++end;
    if (end - begin >= 5)
      for (size_t i = begin + 1; i + 2 < end; ++i) places.push_back(i);
    begin = end + 1;
  }
  if (places.empty()) return text;
  std::string out = text;
  const size_t at = places[dice.below(places.size())];
  switch (dice.below(4)) {
    case 0:
      out.erase(at, 1);
      break;
    case 1:
      out.insert(at, 1, out[at]);
      break;
    case 2:
      std::swap(out[at], out[at + 1]);
      break;
    default:
      out[at] = static_cast<char>('a' + dice.below(26));
  }
  return out;
}

// --- what stands between letters ----------------------------------------------------------------

std::string between(Text text, std::string_view with) {
  std::string out;
  for (const std::string& c : characters(text)) {
    if (c == " ") continue;
    if (!out.empty()) out += with;
    out += c;
  }
  return out;
}

std::string spacing(Text text, Dice& dice) {
  constexpr std::string_view kGaps[] = {" ", "  ", "\n", "\t", "\u00A0", "\u2003"};
  const size_t how = dice.below(3);
  std::string out;
  for (const std::string& c : characters(text)) {
    if (c == " " && how == 0) continue;  // joined
    out += c == " " && how == 1 ? std::string(dice.any(kGaps)) + " " : c;
    if (how == 2 && dice.one_in(2)) out += dice.any(kGaps);
  }
  return out;
}

std::string punctuation(Text text, Dice& dice) {
  constexpr std::string_view kSigns[] = {".", "-", "_", "*", "/", "·", "~", "•", "'", "…"};
  const std::string_view sign = dice.any(kSigns);
  const size_t how = dice.below(2);
  std::string out;
  for (const std::string& c : characters(text))
    out += c == " " ? std::string(sign) : how == 0 ? c + std::string(sign) : c;
  return how == 0 ? out : std::string(sign) + out;
}

std::string zero_width(Text text, Dice& dice) {
  constexpr std::string_view kNothing[] = {"\u200B", "\u200C", "\u200D",
                                           "\u2060", "\uFEFF", "\u00AD"};
  std::string out;
  for (const std::string& c : characters(text)) {
    out += c;
    if (!dice.one_in(3)) out += dice.any(kNothing);
  }
  return out;
}

std::string letter_by_letter(Text text, Dice& dice) {
  constexpr std::string_view kGaps[] = {" ", ", ", "\n", " - ", ". ", "; ", " + ", "\", \""};
  return between(text, dice.any(kGaps));
}

std::string two_typos(Text text, Dice& dice) { return typo(typo(text, dice), dice); }

constexpr auto kYes = Promise::kKept, kNo = Promise::kNone;
constexpr Disguise kDisguises[] = {{"plain", kYes, plain, true},
                                   {"case", kYes, in_case, true},
                                   {"spacing", kYes, spacing, true},
                                   {"punctuation", kYes, punctuation, true},
                                   {"accents", kYes, accents, true},
                                   {"leetspeak", kYes, leet, true},
                                   {"zero width", kYes, zero_width, true},
                                   {"homoglyphs", kYes, homoglyphs, true},
                                   {"letter by letter", kYes, letter_by_letter, true},
                                   {"typo", kYes, typo, true},
                                   {"base64", kYes, in_base64, false},
                                   {"hex", kYes, in_hex, false},
                                   {"percent", kYes, percent, false},
                                   {"reversed", kYes, reversed, false},
                                   {"rot13", kYes, rot13, false},
                                   {"two typos", kNo, two_typos, true},
                                   {"another rotation", kNo, other_rotation, false},
                                   {"encoded twice", kNo, twice_encoded, false},
                                   {"numbered letters", kNo, numbered, false},
                                   {"spelling alphabet", kNo, spelled, false},
                                   {"Morse code", kNo, morse, false},
                                   {"without vowels", kNo, no_vowels, false}};

}  // namespace

std::span<const Disguise> disguises() { return kDisguises; }

}  // namespace expunge::server
