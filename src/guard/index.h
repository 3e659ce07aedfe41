// All names of a scanner, ready to be looked for.
#pragma once

#include "guard/automaton.h"
#include "guard/fuzzy.h"
#include "guard/scanner.h"

namespace expunge::guard {

struct Index {
  explicit Index(std::vector<Target> targets);

  std::vector<Target> targets;
  std::vector<Pattern> patterns;
  std::vector<Piece> pieces;
  std::vector<std::vector<std::u32string>> scopes;  // of each target: the words of its scope
  Automaton words;  // coarse letters; an id below patterns.size() is a pattern, above a piece
  Automaton plain;  // plain and reversed names of at least 6 letters, for the weaker readings
  Automaton steps;  // the differences of neighbouring letters: any shift of the alphabet
  std::vector<uint32_t> step_patterns;  // what an id of `steps` stands for: pattern * 2 + mirrored
  size_t longest = 0;                   // letters of a name, edits included
};

}  // namespace expunge::guard
