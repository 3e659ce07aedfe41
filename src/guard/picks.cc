#include <algorithm>
#include <unordered_map>

#include "guard/search.h"

namespace expunge::guard {
namespace {

// Letters that stand farther apart than this do not belong together.
constexpr size_t kMostApart = 64;

// Alphabets that are spoken; names of letters that are not words as well.
char32_t letter_of_word(const std::u32string& word) {
  static const std::unordered_map<std::u32string_view, char32_t> kWords = {
      {U"alfa", 'a'},    {U"alpha", 'a'},  {U"bravo", 'b'},   {U"charlie", 'c'},
      {U"delta", 'd'},   {U"echo", 'e'},   {U"foxtrot", 'f'}, {U"golf", 'g'},
      {U"hotel", 'h'},   {U"india", 'i'},  {U"juliet", 'j'},  {U"juliett", 'j'},
      {U"kilo", 'k'},    {U"lima", 'l'},   {U"mike", 'm'},    {U"november", 'n'},
      {U"oscar", 'o'},   {U"papa", 'p'},   {U"quebec", 'q'},  {U"romeo", 'r'},
      {U"sierra", 's'},  {U"tango", 't'},  {U"uniform", 'u'}, {U"victor", 'v'},
      {U"whiskey", 'w'}, {U"whisky", 'w'}, {U"xray", 'x'},    {U"yankee", 'y'},
      {U"zulu", 'z'},    {U"ay", 'a'},     {U"bee", 'b'},     {U"cee", 'c'},
      {U"dee", 'd'},     {U"ee", 'e'},     {U"eff", 'f'},     {U"gee", 'g'},
      {U"aitch", 'h'},   {U"haitch", 'h'}, {U"eye", 'i'},     {U"jay", 'j'},
      {U"kay", 'k'},     {U"el", 'l'},     {U"ell", 'l'},     {U"em", 'm'},
      {U"en", 'n'},      {U"oh", 'o'},     {U"pee", 'p'},     {U"cue", 'q'},
      {U"queue", 'q'},   {U"ar", 'r'},     {U"ess", 's'},     {U"tee", 't'},
      {U"you", 'u'},     {U"vee", 'v'},    {U"ex", 'x'},      {U"why", 'y'},
      {U"zee", 'z'},     {U"zed", 'z'},    {U"ray", 'x'}};
  const auto found = kWords.find(word);
  return found == kWords.end() ? 0 : found->second;
}

class Picking {
 public:
  Picking(std::string_view text, std::span<const Unit> units) : text_(text), units_(units) {}

  Picks run() && {
    for (size_t at = 0; at < units_.size();) {
      if (units_[at].kind != Kind::kLetter) {
        ++at;
        continue;
      }
      size_t end = at + 1;
      while (end < units_.size() && units_[end].kind == Kind::kLetter &&
             units_[end].gap == Gap::kNone)
        ++end;
      word(at, end - 1);
      at = end;
    }
    return std::move(out_);
  }

 private:
  void word(size_t first, size_t last) {
    const Unit& unit = units_[first];
    const bool is_apostrophe = first > 0 && unit.begin > 0 && unit.gap == Gap::kPunctuation &&
                               text_[unit.begin - 1] == '\'' && first == last;
    if (is_apostrophe) return;  // the s of "Basil's"
    if (first == last) {
      push(&out_.alone, unit);
      if (unit.letter != 'a' || unit.is_upper) push(&out_.alone_but_a, unit);
    }
    std::u32string letters;
    for (size_t i = first; i <= last && letters.size() < 10; ++i) letters += units_[i].letter;
    if (const char32_t letter = letter_of_word(letters)) {
      Unit spoken = unit;
      spoken.letter = letter;
      spoken.end = units_[last].end;
      const bool goes_on = spoken_to_ + 24 >= unit.begin;
      push(&out_.words, spoken);
      out_.words.back().gap = goes_on ? Gap::kNone : Gap::kPunctuation;
      spoken_to_ = spoken.end;
    }
    const size_t before = first == 0 ? 0 : units_[first - 1].end;
    const std::string_view between = text_.substr(before, unit.begin - before);
    if (first == 0 || between.find('\n') != between.npos) push(&out_.lines, unit);
    if (first == 0 || between.find_first_of(".!?\n") != between.npos ||
        (units_[first - 1].kind == Kind::kMark && unit.is_upper))
      push(&out_.sentences, unit);
    push(&out_.firsts, unit);
    push(&out_.lasts, units_[last]);
  }

  static void push(std::vector<Unit>* out, Unit unit) {
    const bool is_near = !out->empty() && out->back().end + kMostApart >= unit.begin;
    unit.gap = is_near ? Gap::kNone : Gap::kPunctuation;
    unit.is_upper = false;  // so that no inner capital seems to begin a word
    out->push_back(unit);
  }

  std::string_view text_;
  std::span<const Unit> units_;
  Picks out_;
  size_t spoken_to_ = 0;
};

}  // namespace

Picks pick(std::string_view text, std::span<const Unit> units) {
  return Picking(text, units).run();
}

}  // namespace expunge::guard
