// Finds names in a text, however they are written.
//
// A scan folds the text (case, compatibility forms, accents, look-alike letters, invisible
// characters), ignores what stands between letters, reads digits and signs as the letters they
// stand for, decodes what is encoded, and looks for all names at once (Aho and Corasick 1975,
// doi:10.1145/360825.360855). Its time does not depend on how many names there are.
//
// What it does not know: descriptions, translations and transcriptions into another script,
// initials, and ciphers with a key. Names that first letters of lines, sentences or words spell are
// found by scan(), but nothing can be held back for them.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "guard/target.h"

namespace expunge::guard {

struct Hit {
  size_t target;              // index in the scanner's targets
  size_t begin, end;          // bytes of the text that hold the name
  std::string_view disguise;  // how it was written: "plain", "leet", "base64", …
};

struct Index;

class Scanner {
 public:
  explicit Scanner(std::vector<Target> targets);
  ~Scanner();
  Scanner(Scanner&&) noexcept;
  Scanner& operator=(Scanner&&) noexcept;

  const std::vector<Target>& targets() const;
  // Every target that the text names, the first place of each; of invalid UTF-8 the valid parts.
  std::vector<Hit> scan(std::string_view text) const;
  bool touches(std::string_view text) const { return !scan(text).empty(); }
  // How many of the text's first bytes may be said although it goes on: no name that begins in
  // them, in any disguise that scan() knows, can end in what follows; those by first letters
  // excepted. Of a text that touches nothing.
  size_t settled(std::string_view text) const;

 private:
  friend class Window;
  // What scan() judges by the whole text: names that are words, without capitals.
  enum class Words { kJudged, kNames };
  // Of the hits those that end after `from`.
  std::vector<Hit> find(std::string_view text, size_t from, Words words) const;

  std::unique_ptr<const Index> index_;
};

}  // namespace expunge::guard
