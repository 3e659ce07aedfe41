#include "guard/match.h"

#include <algorithm>
#include <unordered_set>

namespace expunge::guard {
namespace {

// Short words that stand side by side in any text: "just in" is not Justin.
bool is_common(std::u32string_view word) {
  static const std::unordered_set<std::u32string_view> kWords = {
      U"a",    U"i",    U"ad",   U"add",  U"age",  U"ago",  U"aid",  U"aim",  U"air",  U"all",
      U"also", U"am",   U"an",   U"and",  U"any",  U"are",  U"arm",  U"art",  U"as",   U"ask",
      U"at",   U"bad",  U"bar",  U"be",   U"bed",  U"bell", U"best", U"bet",  U"big",  U"bit",
      U"box",  U"boy",  U"but",  U"buy",  U"by",   U"call", U"came", U"can",  U"car",  U"care",
      U"case", U"cat",  U"come", U"cut",  U"dad",  U"day",  U"deal", U"dear", U"did",  U"do",
      U"does", U"dog",  U"done", U"door", U"down", U"each", U"ear",  U"east", U"eat",  U"end",
      U"even", U"ever", U"eye",  U"fact", U"fall", U"far",  U"few",  U"find", U"fine", U"fire",
      U"fit",  U"for",  U"form", U"free", U"from", U"full", U"get",  U"give", U"go",   U"god",
      U"gold", U"good", U"got",  U"had",  U"half", U"hall", U"hand", U"hard", U"has",  U"hat",
      U"have", U"he",   U"head", U"hear", U"help", U"hen",  U"her",  U"here", U"hers", U"high",
      U"hill", U"him",  U"his",  U"hit",  U"hold", U"home", U"hot",  U"how",  U"if",   U"ill",
      U"in",   U"into", U"is",   U"it",   U"its",  U"job",  U"just", U"keep", U"kind", U"king",
      U"know", U"land", U"last", U"late", U"law",  U"lay",  U"led",  U"left", U"less", U"let",
      U"lie",  U"life", U"like", U"line", U"list", U"long", U"look", U"lot",  U"low",  U"mad",
      U"made", U"main", U"make", U"man",  U"many", U"mark", U"may",  U"me",   U"mean", U"men",
      U"met",  U"mind", U"miss", U"more", U"most", U"much", U"must", U"my",   U"name", U"near",
      U"need", U"net",  U"new",  U"next", U"no",   U"nor",  U"not",  U"now",  U"of",   U"off",
      U"oil",  U"old",  U"on",   U"once", U"one",  U"only", U"open", U"or",   U"our",  U"out",
      U"over", U"own",  U"part", U"past", U"pay",  U"per",  U"put",  U"ran",  U"rate", U"ray",
      U"read", U"real", U"red",  U"rest", U"rich", U"ring", U"rob",  U"rose", U"row",  U"run",
      U"said", U"same", U"sat",  U"saw",  U"say",  U"sea",  U"see",  U"set",  U"she",  U"show",
      U"side", U"sin",  U"sit",  U"six",  U"so",   U"some", U"son",  U"soon", U"sun",  U"take",
      U"tell", U"ten",  U"than", U"that", U"the",  U"them", U"then", U"they", U"this", U"time",
      U"tin",  U"to",   U"too",  U"top",  U"try",  U"turn", U"two",  U"up",   U"us",   U"use",
      U"very", U"war",  U"was",  U"way",  U"we",   U"well", U"went", U"were", U"west", U"what",
      U"when", U"who",  U"why",  U"will", U"win",  U"with", U"word", U"work", U"yes",  U"yet",
      U"you",  U"your"};
  return kWords.contains(word);
}

// How the letters of a match lie in the text.
struct Layout {
  size_t inner = 0, inner_blank = 0;  // gaps inside the name's words; those with a blank
  size_t breaks = 0, broken = 0;      // the name's words but the first; those after a gap
  size_t stand_ins = 0;               // digits and signs
  size_t ends_in_marks = 0;
  bool all_ascii = true, all_lower = true, all_common = true;

  bool is_even(size_t letters) const { return inner + breaks + 1 == letters && broken == breaks; }
  bool is_aligned() const { return inner == 0 && broken == breaks; }
};

Gap gap_before(std::span<const Unit> units, size_t previous, size_t at) {
  Gap gap = units[at].gap;
  for (size_t i = previous + 1; i < at; ++i) gap = gap | units[i].gap | Gap::kPunctuation;
  return gap;
}

Layout layout_of(const Pattern& pattern, std::span<const Unit> units,
                 std::span<const uint32_t> at) {
  Layout out;
  size_t chunk = 0;
  const auto end_chunk = [&](size_t end) {
    out.all_common = out.all_common &&
                     is_common(std::u32string_view(pattern.letters).substr(chunk, end - chunk));
    chunk = end;
  };
  for (size_t i = 0; i < at.size(); ++i) {
    const Unit& unit = units[at[i]];
    if (unit.letter != pattern.letters[i] && unit.kind != Kind::kLetter) ++out.stand_ins;
    out.all_ascii = out.all_ascii && unit.is_ascii;
    out.all_lower = out.all_lower && !unit.is_upper;
    if (i == 0) continue;
    const Gap gap = gap_before(units, at[i - 1], at[i]);
    if (gap != Gap::kNone) end_chunk(i);
    if (pattern.breaks[i]) {
      ++out.breaks;
      if (gap != Gap::kNone) ++out.broken;
    } else if (gap != Gap::kNone) {
      ++out.inner;
      if (int(gap) & int(Gap::kBlank)) ++out.inner_blank;
    }
  }
  end_chunk(at.size());
  out.ends_in_marks =
      (units[at.front()].kind == Kind::kMark) + (units[at.back()].kind == Kind::kMark);
  return out;
}

// Enough letters among digits and signs: "A11" is a room, "B4s1l" a name.
bool has_letters(const Layout& layout, size_t n) {
  const size_t letters = n - layout.stand_ins;
  if (n >= 8) return letters > 0 || n >= 12;
  return n <= 4 ? letters * 2 >= n && layout.ends_in_marks == 0 : letters * 3 >= n;
}

bool borders_matter(const Pattern& pattern, const Layout& layout, size_t n) {
  if (n < 8) return true;
  if (n >= 12) return false;
  if (pattern.is_one_word) return layout.inner == 0 && layout.stand_ins == 0;
  return layout.is_aligned();
}

bool is_meant(const Pattern& pattern, const Layout& layout, size_t n) {
  if (is_unspaced(pattern.letters.front())) return layout.inner == 0 || n >= 5 || layout.is_even(n);
  if (n <= 4) return layout.inner == 0 || layout.is_even(n);
  if (layout.inner_blank == 0 || layout.is_even(n)) return true;
  if (n < 8 && layout.stand_ins > 0) return false;
  return n >= 12 || !layout.all_common;
}

bool form_allows(const Pattern& pattern, const Layout& layout, std::span<const Unit> units,
                 std::span<const uint32_t> at) {
  const size_t n = at.size();
  switch (pattern.form) {
    case Form::kPlain:
    case Form::kSqueezed:
    case Form::kNoVowels:
    case Form::kPigLatin:
      return true;
    case Form::kReversed:  // "mail" is not Liam, "liaM" is
      return n >= 5 || (units[at.back()].is_upper && !units[at.front()].is_upper);
    default:
      return layout.inner == 0 || layout.is_even(n) || n >= 8;
  }
}

std::string_view describe(const Pattern& pattern, const Layout& layout) {
  if (pattern.form != Form::kPlain) return name(pattern.form);
  if (layout.stand_ins > 0) return "leet";
  if (layout.inner > 0) return "spaced";
  return layout.all_ascii ? "plain" : "look-alike";
}

// "Will the court …", "Mark the answer": a name that is a common word, as a verb before its object.
bool is_verb(const Pattern& pattern, std::span<const Unit> units, size_t first, size_t last) {
  static const std::unordered_set<std::u32string_view> kObjects = {
      U"the", U"a",   U"an",   U"any",  U"all",  U"each",  U"it",    U"he",    U"she", U"they",
      U"we",  U"you", U"this", U"that", U"your", U"there", U"these", U"those", U"i"};
  if (!pattern.is_one_word || !is_common(pattern.letters)) return false;
  const bool is_first = first == 0 || units[first].gap == Gap::kBoth ||
                        (units[first].gap == Gap::kBlank && units[first - 1].kind == Kind::kMark);
  if (!is_first) return false;
  std::u32string next;
  for (size_t i = last + 1; i < units.size() && units[i].kind == Kind::kLetter; ++i) {
    if (units[i].gap != (next.empty() ? Gap::kBlank : Gap::kNone) || next.size() > 5) break;
    next += units[i].letter;
  }
  return kObjects.contains(next);
}

}  // namespace

bool begins_at(std::span<const Unit> units, size_t first) {
  const Unit& unit = units[first];
  if (first == 0 || unit.gap != Gap::kNone) return true;
  const Unit& before = units[first - 1];
  return before.kind != Kind::kLetter || (unit.is_upper && !before.is_upper) ||
         is_unspaced(unit.letter);
}

bool stops_at(std::span<const Unit> units, size_t last) {
  const auto ends = [&](size_t at) {
    if (at + 1 >= units.size()) return true;
    const Unit& next = units[at + 1];
    return next.gap != Gap::kNone || next.kind != Kind::kLetter ||
           (next.is_upper && !units[at].is_upper) || is_unspaced(units[at].letter);
  };
  return ends(last) || (units[last + 1].letter == 's' && ends(last + 1));  // a plural
}

std::optional<Place> match_at(const Pattern& pattern, std::span<const Unit> units, size_t last,
                              Reads which, const Manner& manner) {
  const size_t n = pattern.letters.size();
  constexpr size_t kLongest = 256;
  uint32_t place[kLongest];
  if (n > kLongest) return std::nullopt;
  size_t at = last + 1;
  for (size_t i = n; i-- > 0;) {
    do {
      if (at == 0) return std::nullopt;
      --at;
    } while (!reads(which, units[at]));
    if (!may_be(units[at], pattern.letters[i])) return std::nullopt;
    place[i] = static_cast<uint32_t>(at);
  }
  const std::span<const uint32_t> places(place, n);
  const Layout layout = layout_of(pattern, units, places);
  if (!has_letters(layout, n) || !is_meant(pattern, layout, n) ||
      !form_allows(pattern, layout, units, places))
    return std::nullopt;
  const bool is_free = manner.is_picked && n >= 5;
  if (!is_free && borders_matter(pattern, layout, n) &&
      !(begins_at(units, at) && stops_at(units, last)))
    return std::nullopt;
  const bool ordinary = pattern.is_one_word && pattern.form == Form::kPlain &&
                        layout.stand_ins == 0 && layout.inner == 0 && layout.all_ascii &&
                        (layout.all_lower || is_verb(pattern, units, at, last));
  if (ordinary && manner.is_cased && !manner.strict) return std::nullopt;
  return Place{at, last, describe(pattern, layout)};
}

}  // namespace expunge::guard
