// One search: all readings of one block of text.
#pragma once

#include <functional>
#include <optional>

#include "guard/index.h"
#include "guard/views.h"

namespace expunge::guard {

// What is known of the whole text, of which a block is a part.
struct Facts {
  bool is_cased = false;             // capitals and small letters
  std::vector<bool> has_scope = {};  // of each target: a word of its scope occurs
};
Facts facts_of(const Index& index, std::string_view text);

struct Where {
  size_t offset = 0;  // of the block in the text
  size_t from = 0;    // hits that end before it in the text do not count
};

class Search {
 public:
  // `hits` has a place for each target.
  Search(const Index& index, const Facts& facts, std::string_view block, Where where,
         std::vector<std::optional<Hit>>* hits)
      : index_(index), facts_(facts), block_(block), where_(where), hits_(*hits) {}
  void run();

 private:
  void give_up();
  void look(const View& view, size_t depth);
  void sketches(const View& view);
  void letters(const View& view, bool fuzzy);
  void pass(const View& view, std::span<const Unit> units, Reads which, bool fuzzy);
  void candidate(const View& view, std::span<const Unit> units, size_t at, Reads which,
                 uint32_t id);
  void shifted(const View& view, std::span<const Unit> units, const std::vector<uint32_t>& read);
  void squeezed(const View& view, std::span<const Unit> units);
  void interleaved(const View& view, std::span<const Unit> units);
  void filled(const View& view, std::span<const Unit> units);
  void weak(const View& view, std::span<const Unit> picked, size_t least,
            std::string_view disguise);
  void picked(const View& view, std::span<const Unit> units);
  void report(const View& view, std::span<const Unit> units, uint32_t target, const Place& place);
  bool is_copied(const View& view, const Unit& first, const Unit& last) const;

  const Index& index_;
  const Facts& facts_;
  std::string_view block_;
  Where where_;
  std::vector<std::optional<Hit>>& hits_;
  size_t budget_ = 0;         // bytes of other readings that may still be looked at
  size_t comparisons_ = 0;    // of misspelled names that may still be made
  size_t least_ = 0;          // letters of a name that counts
  std::string_view as_ = {};  // the disguise of a pass, if not of the letters
  uint32_t least_width_ = 0;  // bytes of one of the letters of a name that counts
  bool is_squeezed_ = false;  // letters that are repeated are one
};

// Letters taken from words: letters that stand alone, first letters, words for letters.
struct Picks {
  std::vector<Unit> alone, alone_but_a;  // "B as in Bravo, A as in …"
  std::vector<Unit> words;               // "Bravo Alpha Sierra"
  std::vector<Unit> firsts, lasts;       // of words
  std::vector<Unit> lines, sentences;    // their first letters
};
Picks pick(std::string_view text, std::span<const Unit> units);
// Every second character from the first and the second, every third from the first, …
using Strides = std::array<std::vector<Unit>, 5>;
Strides stride(std::string_view text, std::span<const Unit> units);
// With every repeated letter once; empty if none stands three times.
std::vector<Unit> squeeze(std::span<const Unit> units);

}  // namespace expunge::guard
