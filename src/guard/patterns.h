// What a name may look like as a run of letters: as it is, its words in another order, backwards,
// under the ciphers that people know by heart.
#pragma once

#include <string>
#include <vector>

#include "guard/target.h"

namespace expunge::guard {

enum class Form : uint8_t {
  kPlain,
  kReversed,
  kRot13,
  kAtbash,
  kTurned,  // upside down
  kPigLatin,
  kNoVowels,
  kSqueezed,  // without repeated letters
};
std::string_view name(Form form);

struct Pattern {
  uint32_t target;
  Form form;
  std::u32string letters;
  std::vector<uint8_t> breaks;  // 1 where a word of the name begins, and at 0
  bool is_one_word;
  bool is_main = false;  // as the name is given, or as a catalogue has it: may be misspelled
};

// Every pattern of a name, the plain ones first; none if it has no letters.
std::vector<Pattern> patterns(std::string_view name, uint32_t target);

}  // namespace expunge::guard
