#include "verify/porter.h"

#include <algorithm>
#include <array>
#include <utility>

namespace expunge::verify {
namespace {

using Word = std::string_view;

bool is_vowel_letter(char c) { return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u'; }

// A y is a consonant where no consonant precedes it: in a run of them they alternate.
bool is_consonant(Word word, size_t i) {
  bool flip = false;
  while (i > 0 && word[i] == 'y') {
    flip = !flip;
    --i;
  }
  return is_vowel_letter(word[i]) == flip;
}

// m of [C](VC){m}[V]: how often a consonant follows a vowel.
size_t measure(Word stem) {
  size_t m = 0;
  bool vowel = false;  // the letter before
  for (size_t i = 0; i < stem.size(); ++i) {
    const bool now = is_vowel_letter(stem[i]) || (stem[i] == 'y' && i > 0 && !vowel);
    if (vowel && !now) ++m;
    vowel = now;
  }
  return m;
}

bool contains_vowel(Word stem) {
  for (size_t i = 0; i < stem.size(); ++i)
    if (!is_consonant(stem, i)) return true;  // a run of y has its vowel second: no long walk back
  return false;
}

bool ends_double_consonant(Word word) {
  const size_t n = word.size();
  return n >= 2 && word[n - 1] == word[n - 2] && is_consonant(word, n - 1);
}

// Consonant, vowel, consonant other than w, x, y; nltk adds words of one vowel and one consonant.
bool ends_cvc(Word word) {
  const size_t n = word.size();
  if (n == 2) return !is_consonant(word, 0) && is_consonant(word, 1);
  return n >= 3 && is_consonant(word, n - 3) && !is_consonant(word, n - 2) &&
         is_consonant(word, n - 1) && word[n - 1] != 'w' && word[n - 1] != 'x' &&
         word[n - 1] != 'y';
}

using Rule = std::pair<Word, Word>;  // suffix, its replacement

// The first rule whose suffix the word has, if the stem's measure exceeds `above`; no other
// rule is tried if it does not.
template <size_t n>
void apply(std::string& word, const std::array<Rule, n>& rules, size_t above) {
  for (const auto& [suffix, replacement] : rules) {
    if (!word.ends_with(suffix)) continue;
    const size_t stem = word.size() - suffix.size();
    if (measure(Word(word).substr(0, stem)) > above) word.replace(stem, suffix.size(), replacement);
    return;
  }
}

void cut(std::string& word, size_t n) { word.resize(word.size() - n); }

void step_1a(std::string& word) {
  if (word.ends_with("ies"))
    cut(word, word.size() == 4 ? 1 : 2);  // ties -> tie, ponies -> poni
  else if (word.ends_with("sses"))
    cut(word, 2);
  else if (word.ends_with("s") && !word.ends_with("ss"))
    cut(word, 1);
}

void step_1b(std::string& word) {
  if (word.ends_with("ied")) return cut(word, word.size() == 4 ? 1 : 2);
  if (word.ends_with("eed")) {
    if (measure(Word(word).substr(0, word.size() - 3)) > 0) cut(word, 1);
    return;
  }
  const size_t suffix = word.ends_with("ed") ? 2 : word.ends_with("ing") ? 3 : 0;
  if (suffix == 0 || !contains_vowel(Word(word).substr(0, word.size() - suffix))) return;
  cut(word, suffix);
  if (word.ends_with("at") || word.ends_with("bl") || word.ends_with("iz")) {
    word += 'e';
  } else if (ends_double_consonant(word)) {
    if (Word("lsz").find(word.back()) == Word::npos) cut(word, 1);
  } else if (measure(word) == 1 && ends_cvc(word)) {
    word += 'e';
  }
}

void step_1c(std::string& word) {
  const size_t n = word.size();
  if (n > 2 && word.back() == 'y' && is_consonant(word, n - 2)) word.back() = 'i';
}

constexpr std::array kStep2 = std::to_array<Rule>(
    {{"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"},   {"anci", "ance"},
     {"izer", "ize"},    {"bli", "ble"},     {"entli", "ent"},   {"eli", "e"},
     {"ousli", "ous"},   {"ization", "ize"}, {"ation", "ate"},   {"ator", "ate"},
     {"alism", "al"},    {"iveness", "ive"}, {"fulness", "ful"}, {"ousness", "ous"},
     {"aliti", "al"},    {"iviti", "ive"},   {"biliti", "ble"},  {"fulli", "ful"}});

void step_2(std::string& word) {
  // nltk puts this rule first and continues: additionalli -> additional -> addition.
  if (word.ends_with("alli") && measure(Word(word).substr(0, word.size() - 4)) > 0) cut(word, 2);
  if (!word.ends_with("logi")) return apply(word, kStep2, 0);
  // The l belongs to the stem: geologi -> geolog.
  if (measure(Word(word).substr(0, word.size() - 3)) > 0) cut(word, 1);
}

constexpr std::array kStep3 = std::to_array<Rule>({{"icate", "ic"},
                                                   {"ative", ""},
                                                   {"alize", "al"},
                                                   {"iciti", "ic"},
                                                   {"ical", "ic"},
                                                   {"ful", ""},
                                                   {"ness", ""}});

constexpr std::array kStep4 = std::to_array<Rule>({{"al", ""},
                                                   {"ance", ""},
                                                   {"ence", ""},
                                                   {"er", ""},
                                                   {"ic", ""},
                                                   {"able", ""},
                                                   {"ible", ""},
                                                   {"ant", ""},
                                                   {"ement", ""},
                                                   {"ment", ""},
                                                   {"ent", ""},
                                                   {"ou", ""},
                                                   {"ism", ""},
                                                   {"ate", ""},
                                                   {"iti", ""},
                                                   {"ous", ""},
                                                   {"ive", ""},
                                                   {"ize", ""}});

void step_4(std::string& word) {
  if (!word.ends_with("ion")) return apply(word, kStep4, 1);
  const Word stem = Word(word).substr(0, word.size() - 3);
  if (measure(stem) > 1 && (stem.back() == 's' || stem.back() == 't')) cut(word, 3);
}

void step_5(std::string& word) {
  if (word.ends_with("e")) {
    const Word stem = Word(word).substr(0, word.size() - 1);
    const size_t m = measure(stem);
    if (m > 1 || (m == 1 && !ends_cvc(stem))) cut(word, 1);
  }
  if (word.ends_with("ll") && measure(Word(word).substr(0, word.size() - 1)) > 1) cut(word, 1);
}

// Irregular forms of nltk's table.
constexpr std::array kIrregular = std::to_array<Rule>({{"skies", "sky"},
                                                       {"sky", "sky"},
                                                       {"dying", "die"},
                                                       {"lying", "lie"},
                                                       {"tying", "tie"},
                                                       {"news", "news"},
                                                       {"innings", "inning"},
                                                       {"inning", "inning"},
                                                       {"outings", "outing"},
                                                       {"outing", "outing"},
                                                       {"cannings", "canning"},
                                                       {"canning", "canning"},
                                                       {"howe", "howe"},
                                                       {"proceed", "proceed"},
                                                       {"exceed", "exceed"},
                                                       {"succeed", "succeed"}});

}  // namespace

std::string porter_stem(std::string_view text) {
  std::string word(text);
  const auto* irregular = std::ranges::find(kIrregular, text, &Rule::first);
  if (irregular != kIrregular.end()) return std::string(irregular->second);
  if (word.size() <= 2) return word;
  step_1a(word);
  step_1b(word);
  step_1c(word);
  step_2(word);
  apply(word, kStep3, 0);
  step_4(word);
  step_5(word);
  return word;
}

}  // namespace expunge::verify
