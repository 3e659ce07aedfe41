#include "guard/patterns.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "guard/fold.h"

namespace expunge::guard {
namespace {

using Words = std::vector<std::u32string>;

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
    out.breaks.push_back(1);
    out.breaks.resize(out.letters.size() + word.size());
    out.letters += word;
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
char32_t key(char32_t c, size_t shift) {
  constexpr std::u32string_view kRows = U"qwertyuiopqasdfghjklazxcvbnmz";
  const size_t at = kRows.find(c, c == 'q' || c == 'a' || c == 'z' ? shift == 1 ? 0 : 2 : 1);
  return at == kRows.npos || at + shift < 1 ? c : kRows[at + shift - 1];
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

// Greek and Cyrillic capitals are drawn like other Latin letters than the small ones.
std::string in_case(std::string_view name, bool upper) {
  std::string out;
  for (size_t at = 0; at < name.size(); ++at) {
    auto a = static_cast<unsigned char>(name[at]);
    if (at + 1 == name.size() || (a != 0xCE && a != 0xCF && a != 0xD0 && a != 0xD1)) {
      out += name[at];
      continue;
    }
    const auto b = static_cast<unsigned char>(name[++at]);
    uint32_t c = (a & 0x1FU) << 6 | (b & 0x3FU);
    if (upper) {
      if (c >= 0x3B1 && c <= 0x3C9 && c != 0x3C2) c -= 0x20;
      if (c >= 0x430 && c <= 0x44F) c -= 0x20;
      if (c >= 0x450 && c <= 0x45F) c -= 0x50;
    } else {
      if (c >= 0x391 && c <= 0x3A9) c += 0x20;
      if (c >= 0x410 && c <= 0x42F) c += 0x20;
      if (c >= 0x400 && c <= 0x40F) c += 0x50;
    }
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3F));
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
    for (const size_t shift : {0, 2})
      add(each_letter(words, [&](char32_t c) { return key(c, shift); }), Form::kKeys, 6);
    for (Words changed : {words, letters.plain}) {
      for (auto& word : changed) word = pig_latin(word);
      add(changed, Form::kPigLatin, 6);
    }
    Words changed = words;
    for (auto& word : changed) std::erase_if(word, is_vowel);
    std::erase_if(changed, [](const auto& word) { return word.empty(); });
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
  constexpr std::string_view kNames[] = {"plain",     "reversed",    "rot13",
                                         "atbash",    "upside down", "pig latin",
                                         "no vowels", "repeated",    "keyboard"};
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
