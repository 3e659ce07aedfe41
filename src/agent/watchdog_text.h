// Words of a message and patterns over them: what the watchdog's cues are written in.
//
// Not the model's tokenizer: lower-case words, one word for each CJK character, punctuation kept.
// Quoted text and code become one word, so that a quotation never gives an order.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace expunge::agent {

struct Word {
  std::string text;           // lower case; "<quote>" and "<code>" stand for masked stretches
  size_t begin = 0, end = 0;  // bytes in the message
  bool breaks = false;        // ends a sentence
  bool opens = false;         // an order could begin here: fillers ("please", "can you") skipped
};

// At most the last 600 words, so that what follows is bounded; time linear in the message.
std::vector<Word> words_of(std::string_view message);

// A pattern: elements separated by blanks. `a|b+c` alternatives (`+` joins the
// words of one), `$name` a lexicon, `x*` a stem, `_` up to five words of the same sentence, `^` an
// order's beginning, `&` the end of a sentence.
class Pattern {
 public:
  using Phrase = std::vector<std::string>;
  struct Lexicon {
    std::string name;
    std::vector<Phrase> phrases;
  };
  static base::Result<Pattern> parse(std::string_view pattern, std::span<const Lexicon> lexicons);

  // First match at or after word `from`: [begin, end), or begin == npos.
  struct Match {
    size_t begin = std::string::npos, end = 0;
    explicit operator bool() const { return begin != std::string::npos; }
  };
  Match find(std::span<const Word> words, size_t from = 0) const;

 private:
  enum class Kind : uint8_t { kPhrases, kGap, kOpen, kEnd };
  struct Element {
    Kind kind = Kind::kPhrases;
    std::vector<Phrase> phrases;
  };
  bool match(std::span<const Word> words, size_t at, size_t element, size_t& end) const;
  std::vector<Element> elements_;
};

// A phrase of a pattern or lexicon: words, CJK split into characters.
Pattern::Phrase phrase_of(std::string_view text);

}  // namespace expunge::agent
