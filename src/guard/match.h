// Whether letters that spell a name are the name or an accident.
#pragma once

#include <span>

#include "guard/fold.h"
#include "guard/patterns.h"

namespace expunge::guard {

// Which units a pass reads; the others are as punctuation.
enum class Reads : uint8_t { kLetters = 1, kDigits = 3, kSigns = 7, kMarks = 15 };
inline bool reads(Reads reads, const Unit& unit) { return int(reads) & int(unit.kind); }

// What is known of the whole text: a name that is an ordinary word is judged by it.
struct Manner {
  bool is_cased = false;   // it has capitals: a name without one is a word
  bool is_picked = false;  // letters that were picked out: other single letters may stand beside
  bool strict = false;     // every spelling counts: what was decoded is disguised already
};

struct Place {
  size_t first, last;  // units
  std::string_view disguise;
};

// The pattern's letters end at unit `last`: where they begin if the name is meant.
std::optional<Place> match_at(const Pattern& pattern, std::span<const Unit> units, size_t last,
                              Reads which, const Manner& manner);
// No letter goes on before unit `first`, after unit `last`.
bool begins_at(std::span<const Unit> units, size_t first);
bool stops_at(std::span<const Unit> units, size_t last);

}  // namespace expunge::guard
