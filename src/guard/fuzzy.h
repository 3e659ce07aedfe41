// Misspelled names: within one edit (a letter more, less, other, or two swapped) of a name of at
// least 8 letters, two of at least 14. A name that is within k edits holds one of its k + 1 pieces
// unchanged, or two letters swapped where two pieces meet; the automaton finds these, the rest is
// compared here.
#pragma once

#include "guard/match.h"

namespace expunge::guard {

struct Piece {
  uint32_t pattern;
  uint32_t offset, size;  // in the pattern's letters
  uint32_t back = 0;      // letters between its end and that of what was found
  std::u32string word;    // what is looked for
};

size_t allowed_edits(const Pattern& pattern);
// The pieces of a pattern; none if no edit is allowed.
std::vector<Piece> pieces(const Pattern& pattern, uint32_t index);
// The piece's word ends at unit `last`.
std::optional<Place> fuzzy_at(const Pattern& pattern, const Piece& piece,
                              std::span<const Unit> units, size_t last, Reads which);

}  // namespace expunge::guard
