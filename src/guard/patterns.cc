#include "guard/patterns.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "base/utf8.h"
#include "guard/fold.h"
#include "guard/views.h"

namespace expunge::guard {
namespace {

// A hyphen in a word is where the name itself has a sign.
using Words = std::vector<std::u32string>;
constexpr char32_t kSign = '-';

bool is_latin(char32_t c) { return c >= 'a' && c <= 'z'; }
bool is_vowel(char32_t c) { return std::u32string_view(U"aeiou").find(c) != std::u32string::npos; }
bool is_latin(const std::u32string& word) {
  return std::any_of(word.begin(), word.end(), [](char32_t c) { return is_latin(c); });
}

struct Letters {
  Words folded;
  Words plain;                      // without those that are not ASCII
  std::vector<bool> is_ascii = {};  // of each folded letter
};

Letters letters_of(std::string_view name) {
  Letters out;
  for (const Unit& unit : fold(name)) {
    if (unit.kind == Kind::kMark) continue;
    if (unit.gap == Gap::kPunctuation && !out.folded.empty()) {
      out.folded.back() += kSign;
      out.plain.back() += kSign;
      out.is_ascii.push_back(false);
    }
    if (out.folded.empty() || (int(unit.gap) & int(Gap::kBlank)) || unit.letter == '@') {
      out.folded.emplace_back();
      out.plain.emplace_back();
    }
    out.folded.back() += unit.letter;
    if (unit.is_ascii) out.plain.back() += unit.letter;
    out.is_ascii.push_back(unit.is_ascii);
  }
  std::erase_if(out.plain, [](const auto& word) { return word.empty(); });
  return out;
}

Pattern join(const Words& words, uint32_t target, Form form) {
  Pattern out{target, form, {}, {}, words.size() == 1, false};
  for (const auto& word : words) {
    bool begins = true;
    for (const char32_t c : word) {
      if (c == kSign) {
        begins = true;
        continue;
      }
      out.letters += c;
      out.breaks.push_back(begins);
      begins = false;
    }
  }
  return out;
}

// Ciphers leave letters with accents as they are, or not: both are looked for.
template <class F>
Words each_ascii(Letters letters, F&& map) {
  size_t at = 0;
  for (auto& word : letters.folded)
    for (char32_t& c : word)
      if (letters.is_ascii[at++] && is_latin(c)) c = map(c);
  return letters.folded;
}

template <class F>
Words each_letter(Words words, F&& map) {
  for (auto& word : words)
    for (char32_t& c : word) c = is_latin(c) ? map(c) : c;
  return words;
}

Words reversed(Words words) {
  std::reverse(words.begin(), words.end());
  for (auto& word : words) std::reverse(word.begin(), word.end());
  return words;
}

char32_t rot13(char32_t c) { return (c - 'a' + 13) % 26 + 'a'; }
char32_t atbash(char32_t c) { return 'z' - (c - 'a'); }
char32_t turned(char32_t c) {
  // As the letters that are drawn upside down are folded: that of c as an open o.
  constexpr std::u32string_view kFrom = U"bdpqnucgfj", kTo = U"qpdbunobjr";
  const size_t at = kFrom.find(c);
  return at == kFrom.npos ? c : kTo[at];
}
std::u32string pig_latin(const std::u32string& word) {
  size_t at = 0;
  while (at < word.size() && !is_vowel(word[at]) && !(at > 0 && word[at] == 'y')) ++at;
  if (at == word.size()) return word + U"ay";
  if (word[at] == 'u' && at > 0 && word[at - 1] == 'q') ++at;
  return at == 0 ? word + U"way" : word.substr(at) + word.substr(0, at) + U"ay";
}

std::u32string squeezed(const std::u32string& word) {
  std::u32string out;
  for (const char32_t c : word)
    if (out.empty() || out.back() != c) out += c;
  return out;
}

// As a catalogue has it (last word first), backwards, and without what stands in the middle.
std::vector<Words> orders(const Words& words) {
  std::vector<Words> out = {words};
  if (words.size() < 2 || words.size() > 8) return out;
  Words turned = words;
  std::rotate(turned.begin(), turned.end() - 1, turned.end());
  out.push_back(turned);
  Words back = words;
  std::reverse(back.begin(), back.end());
  out.push_back(back);
  if (words.size() == 2) return out;
  for (size_t first = 1; first + 1 < words.size(); ++first) {
    turned = words;
    std::rotate(turned.begin(), turned.begin() + static_cast<ptrdiff_t>(first), turned.end());
    out.push_back(turned);
  }
  Words initials = words;
  for (size_t i = 1; i + 1 < words.size(); ++i) initials[i].resize(1);
  out.push_back(initials);
  if (words.front().size() + words.back().size() >= 6) {
    out.push_back({words.front(), words.back()});
    out.push_back({words.back(), words.front()});
  }
  return out;
}

// German and Nordic spellings without the accents: "Mueller".
std::string spelled_out(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kPairs[] = {
      {"ä", "ae"}, {"ö", "oe"}, {"ü", "ue"}, {"Ä", "Ae"}, {"Ö", "Oe"},
      {"Ü", "Ue"}, {"å", "aa"}, {"Å", "Aa"}, {"ø", "oe"}, {"Ø", "Oe"}};
  std::string out;
  for (size_t at = 0; at < name.size();) {
    const auto found = std::find_if(std::begin(kPairs), std::end(kPairs), [&](const auto& pair) {
      return name.substr(at).starts_with(pair.first);
    });
    out += found == std::end(kPairs) ? name.substr(at, 1) : found->second;
    at += found == std::end(kPairs) ? 1 : found->first.size();
  }
  return out;
}

struct CaseRow {
  char32_t upper, lower, count;
};
// Greek and Cyrillic letters, without their accents.
constexpr CaseRow kCases[] = {{0x391, 0x3B1, 17}, {0x3A3, 0x3C2, 1},  {0x3A3, 0x3C3, 7},
                              {0x391, 0x3AC, 1},  {0x395, 0x3AD, 1},  {0x397, 0x3AE, 1},
                              {0x399, 0x3AF, 1},  {0x39F, 0x3CC, 1},  {0x3A5, 0x3CD, 1},
                              {0x3A9, 0x3CE, 1},  {0x410, 0x430, 32}, {0x400, 0x450, 16}};

// Their capitals are drawn like other Latin letters than the small ones, so both are looked for.
std::string in_case(std::string_view name, bool upper) {
  std::string out;
  for (size_t at = 0; at < name.size();) {
    const base::Char read = base::char_at(name, at);
    const size_t size = read.size ? read.size : 1;
    const auto next = base::char_at(std::string(name.substr(at + size)) + " ", 0);
    char32_t c = read.code;
    for (const auto& [first_upper, first_lower, count] : kCases) {
      const char32_t from = upper ? first_lower : first_upper;
      if (read.code < from || read.code >= from + count) continue;
      c = (upper ? first_upper : first_lower) + (read.code - from);
      if (!upper && read.code == 0x3A3) c = next.code > 0x300 ? 0x3C3 : 0x3C2;  // a final sigma
      break;
    }
    out += c == read.code ? std::string(name.substr(at, size)) : utf8(c);
    at += size;
  }
  return out;
}

class Collector {
 public:
  explicit Collector(uint32_t target) : target_(target) {}

  void add(const Words& words, Form form, size_t at_least) {
    Pattern pattern = join(words, target_, form);
    if (pattern.letters.size() < at_least || !seen_.insert(pattern.letters).second) return;
    out_.push_back(std::move(pattern));
  }
  void ciphers(const Letters& letters) {
    const Words& words = letters.folded;
    const auto with_reverse = [&](const Words& changed, Form form, size_t least) {
      add(changed, form, least);
      add(reversed(changed), form, std::max<size_t>(least, 5));
    };
    add(reversed(words), Form::kReversed, 3);
    Words each = words;  // every word backwards where it stands
    for (auto& word : each) std::reverse(word.begin(), word.end());
    add(each, Form::kReversed, 3);
    if (std::none_of(words.begin(), words.end(), [](const auto& w) { return is_latin(w); })) return;
    with_reverse(each_letter(words, rot13), Form::kRot13, 4);
    with_reverse(each_ascii(letters, rot13), Form::kRot13, 4);
    with_reverse(each_letter(words, atbash), Form::kAtbash, 5);
    with_reverse(each_ascii(letters, atbash), Form::kAtbash, 5);
    add(each_letter(reversed(words), turned), Form::kTurned, 5);
    add(reversed(each_ascii(letters, turned)), Form::kTurned, 5);
    for (Words changed : {words, letters.plain}) {
      for (auto& word : changed) word = pig_latin(word);
      add(changed, Form::kPigLatin, 6);
    }
    Words changed = words;
    for (auto& word : changed) std::erase_if(word, is_vowel);
    add(changed, Form::kNoVowels, 6);
    changed = words;
    for (auto& word : changed) {  // each word's first letter is often kept
      for (size_t i = word.size(); i-- > 1;)
        if (is_vowel(word[i])) word.erase(i, 1);
    }
    add(changed, Form::kNoVowels, 6);
    changed = words;
    for (auto& word : changed) word = squeezed(word);
    add(changed, Form::kSqueezed, 3);
  }
  void mark_main(size_t count) {
    for (size_t i = 0; i < std::min(count, out_.size()); ++i)
      out_[i].is_main = i == 0 || !out_[i].is_one_word;
  }
  std::vector<Pattern> take() { return std::move(out_); }

 private:
  uint32_t target_;
  std::set<std::u32string> seen_;
  std::vector<Pattern> out_;
};

}  // namespace

std::string_view name(Form form) {
  constexpr std::string_view kNames[] = {"plain",       "reversed",  "rot13",     "atbash",
                                         "upside down", "pig latin", "no vowels", "repeated"};
  return kNames[static_cast<size_t>(form)];
}

std::vector<Pattern> patterns(std::string_view name, uint32_t target) {
  Collector out(target);
  std::set<Words> known;
  std::vector<Letters> spellings;
  for (const std::string& spelled :
       {std::string(name), spelled_out(name), in_case(name, true), in_case(name, false)}) {
    const Letters letters = letters_of(spelled);
    if (letters.folded.empty() || !known.insert(letters.folded).second) continue;
    for (const Words& order : orders(letters.folded)) out.add(order, Form::kPlain, 2);
    out.mark_main(spellings.empty() ? 2 : 0);
    spellings.push_back(letters);
  }
  for (const Letters& letters : spellings) {
    // Programs that know no accents leave those letters out.
    if (letters.plain != letters.folded) out.add(letters.plain, Form::kPlain, 6);
    out.ciphers(letters);
    if (letters.plain != letters.folded) out.add(reversed(letters.plain), Form::kReversed, 6);
  }
  return out.take();
}

}  // namespace expunge::guard
