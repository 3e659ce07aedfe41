#include "guard/search.h"

#include <algorithm>

namespace expunge::guard {
namespace {

constexpr size_t kDeepest = 3;  // encodings of encodings

bool is_latin(const Unit& unit) { return unit.letter >= 'a' && unit.letter <= 'z'; }

bool has(std::span<const Unit> units, Kind kind) {
  return std::any_of(units.begin(), units.end(),
                     [&](const Unit& unit) { return unit.kind == kind; });
}

}  // namespace

void Search::run() {
  budget_ = 32 * block_.size() + 4096;
  comparisons_ = 20 * block_.size() + 20000;
  look({.text = std::string(block_)}, 0);
}

// An encoding may hold another; what is only written in another way is read once, or clear text
// would be read in every order of all ways.
void Search::look(const View& view, size_t depth) {
  if (view.text.size() > budget_) return give_up();
  budget_ -= view.text.size();
  letters(view, true);
  if (depth == kDeepest) return;
  for (const Reader read :
       {read_escapes, read_markup, read_base64, read_base85, read_hex, read_numbers, read_morse})
    if (const auto other = read(view)) look(*other, depth + 1);
  if (depth < 2) sketches(view);
  if (depth > 0) return;
  if (const auto backwards = read_backwards(view))
    for (const Reader read : {read_escapes, read_base64, read_hex})
      if (const auto other = read(*backwards)) look(*other, depth + 2);
}

// A text that cannot be read to its end counts as naming the first target: no clear text is like
// that, and whoever writes such a text hides something.
void Search::give_up() {
  if (!hits_[0]) hits_[0] = Hit{0, where_.offset, where_.offset + block_.size(), "unread"};
}

// What clear text could spell by accident counts for longer names only.
void Search::sketches(const View& view) {
  if (const auto drawn = read_drawn(view)) pass(*drawn, fold(drawn->text), Reads::kDigits, false);
  least_ = 8;
  if (const auto drawn = read_joined(view)) pass(*drawn, fold(drawn->text), Reads::kDigits, false);
  least_ = 6;
  for (const Reader read : {read_rot47, read_keys_left, read_keys_right})
    if (const auto other = read(view)) {
      const std::vector<Unit> units = fold(other->text);
      pass(*other, units, Reads::kLetters, false);
    }
  least_ = 0;
}

void Search::letters(const View& view, bool fuzzy) {
  const std::vector<Unit> units = fold(view.text);
  if (units.empty()) return;
  pass(view, units, Reads::kDigits, fuzzy);
  if (has(units, Kind::kSign)) pass(view, units, Reads::kSigns, fuzzy);
  if (has(units, Kind::kMark)) pass(view, units, Reads::kMarks, false);
  if (has(units, Kind::kDigit)) pass(view, units, Reads::kLetters, false);
  std::vector<uint32_t> latin, ascii;
  for (size_t i = 0; i < units.size(); ++i) {
    if (units[i].kind != Kind::kLetter || !is_latin(units[i])) continue;
    latin.push_back(uint32_t(i));
    if (units[i].is_ascii) ascii.push_back(uint32_t(i));
  }
  shifted(view, units, latin);
  if (ascii.size() < latin.size()) shifted(view, units, ascii);
  squeezed(view, units);
  interleaved(view, units);
  picked(view, units);
}

void Search::pass(const View& view, std::span<const Unit> units, Reads which, bool fuzzy) {
  const Automaton& words = index_.words;
  uint32_t state = Automaton::kStart;
  for (size_t at = 0; at < units.size(); ++at) {
    if (!reads(which, units[at])) continue;
    state = words.next(state, coarse(units[at].letter));
    if (!words.ends(state)) continue;
    words.each(state, [&](uint32_t id) {
      if (fuzzy || id < index_.patterns.size()) candidate(view, units, at, which, id);
    });
  }
}

void Search::candidate(const View& view, std::span<const Unit> units, size_t at, Reads which,
                       uint32_t id) {
  const bool is_piece = id >= index_.patterns.size();
  const Piece* const piece = is_piece ? &index_.pieces[id - index_.patterns.size()] : nullptr;
  const Pattern& pattern = index_.patterns[piece ? piece->pattern : id];
  const auto& known = hits_[pattern.target];
  if (known && known->begin <= where_.offset && known->disguise != "misspelled") return;
  if (pattern.form == Form::kSqueezed && !is_squeezed_) return;
  if (pattern.letters.size() < least_) return;
  std::optional<Place> place;
  if (piece) {
    if (comparisons_ == 0) return give_up();
    --comparisons_;
    place = fuzzy_at(pattern, *piece, units, at, which);
  } else {
    const Manner manner{
        .is_cased = facts_.is_cased && as_.empty() && !facts_.has_scope[pattern.target],
        .is_picked = as_ == "spelled out"};
    place = match_at(pattern, units, at, which, manner);
    if (!place && manner.is_cased && !view.spans.empty()) {
      place = match_at(pattern, units, at, which, {.is_cased = true, .strict = true});
      if (place && is_copied(view, units[place->first], units[place->last])) return;
    }
  }
  if (!place) return;
  // What was left out must have stood between the letters.
  bool is_wide = least_width_ == 0;
  for (size_t i = place->first; i <= place->last && !is_wide; ++i)
    is_wide = units[i].end - units[i].begin >= least_width_ && units[i].is_ascii;
  if (!is_wide) return;
  report(view, units, pattern.target, *place);
}

// Whether what was found in another reading stands so in the text itself.
bool Search::is_copied(const View& view, const Unit& first, const Unit& last) const {
  const View::Span span = view.span(first.begin, last.end);
  return span.begin < span.end && span.end <= block_.size() &&
         block_.substr(span.begin, span.end - span.begin) ==
             std::string_view(view.text).substr(first.begin, last.end - first.begin);
}

void Search::report(const View& view, std::span<const Unit> units, uint32_t target,
                    const Place& place) {
  const View::Span a = view.span(units[place.first].begin, units[place.first].end);
  const View::Span b = view.span(units[place.last].begin, units[place.last].end);
  const bool is_other =
      !view.disguise.empty() && !is_copied(view, units[place.first], units[place.last]);
  const Hit hit{target, where_.offset + std::min(a.begin, b.begin),
                where_.offset + std::max(a.end, b.end),
                is_other      ? view.disguise
                : as_.empty() ? place.disguise
                              : as_};
  if (hit.end <= where_.from) return;
  auto& known = hits_[target];
  if (known && is_other && hit.end > known->begin) return;  // the same in another reading
  const bool is_exact = known && hit.begin == known->begin && known->disguise == "misspelled";
  if (!known || hit.begin < known->begin || is_exact) known = hit;
}

// Whether words end where those of the name do.
bool is_laid_out(const Pattern& pattern, std::span<const Unit> units,
                 std::span<const uint32_t> read) {
  for (size_t i = 1; i < read.size(); ++i)
    if ((units[read[i]].gap != Gap::kNone) != (pattern.breaks[i] != 0)) return false;
  return begins_at(units, read.front()) && stops_at(units, read.back());
}

// A name of at least 8 letters (6 if it has several words) under any shift of the alphabet,
// forwards or backwards, and under any shift of the alphabet backwards: its neighbouring letters
// differ by the same. Letters with accents are shifted, or left and then not `read`.
void Search::shifted(const View& view, std::span<const Unit> units,
                     const std::vector<uint32_t>& read) {
  uint32_t state = Automaton::kStart;
  for (size_t i = 1; i < read.size(); ++i) {
    const char32_t a = units[read[i - 1]].letter, b = units[read[i]].letter;
    state = index_.steps.next(state, 'a' + (b + 26 - a) % 26);
    if (!index_.steps.ends(state)) continue;
    index_.steps.each(state, [&](uint32_t id) {
      const Pattern& pattern = index_.patterns[index_.step_patterns[id] / 2];
      const bool is_mirrored = index_.step_patterns[id] % 2;
      const size_t first = i + 1 - pattern.letters.size();
      if (!is_mirrored && units[read[first]].letter == pattern.letters[0]) return;  // not shifted
      const auto written = std::span(read).subspan(first, pattern.letters.size());
      if (pattern.letters.size() < 8 && !is_laid_out(pattern, units, written)) return;
      report(view, units, pattern.target, {read[first], read[i], "shifted"});
    });
  }
}

// "Baaasil", "B-B-Basil": where a letter stands three times, all repeated ones are one.
std::vector<Unit> squeeze(std::span<const Unit> units) {
  std::vector<Unit> out;
  bool any = false;
  size_t run = 0;
  for (const Unit& unit : units) {
    const bool repeats = !out.empty() && unit.letter == out.back().letter &&
                         unit.kind == Kind::kLetter && unit.is_ascii &&
                         (unit.gap == Gap::kNone || unit.gap == Gap::kPunctuation);
    run = repeats ? run + 1 : 1;
    if (repeats)
      out.back().end = unit.end;
    else
      out.push_back(unit);
    any = any || run == 3;
  }
  if (!any) out.clear();
  return out;
}

void Search::squeezed(const View& view, std::span<const Unit> units) {
  const std::vector<Unit> out = squeeze(units);
  if (out.empty()) return;
  is_squeezed_ = true;
  least_width_ = 3;
  as_ = "stretched";
  pass(view, out, Reads::kDigits, false);
  is_squeezed_ = false;
  least_width_ = 0;
  as_ = {};
}

// "BxAxSxIxL": every second character, and every third, of those that are not blank.
Strides stride(std::string_view text, std::span<const Unit> units) {
  Strides out;
  size_t position = 0, last = 0;
  for (const Unit& unit : units) {
    for (; last < unit.begin; ++last)
      if (text[last] > ' ') ++position;
    if (unit.kind != Kind::kMark) {
      out[position % 2].push_back(unit);
      out[2 + position % 3].push_back(unit);
    }
    ++position;
    last = unit.end;
  }
  return out;
}

void Search::interleaved(const View& view, std::span<const Unit> units) {
  for (const std::vector<Unit>& every : stride(view.text, units))
    weak(view, every, 8, "interleaved");
  filled(view, units);
}

// The same with one letter for all: words without the letter that is half of them.
void Search::filled(const View& view, std::span<const Unit> units) {
  std::vector<Unit> out;
  bool any = false;
  for (size_t at = 0; at < units.size();) {
    std::array<uint16_t, 26> count = {};
    size_t end = at;
    do {
      const char32_t c = units[end].letter;
      if (c >= 'a' && c <= 'z' && count[c - 'a'] < 1000) ++count[c - 'a'];
      ++end;
    } while (end < units.size() && !(int(units[end].gap) & int(Gap::kBlank)));
    const auto most = std::max_element(count.begin(), count.end());
    const auto filler = static_cast<char32_t>('a' + (most - count.begin()));
    const bool is_filled = *most >= 4 && *most * 5U >= (end - at) * 2;
    any = any || is_filled;
    for (size_t first = out.size(); at < end; ++at) {
      if (!is_filled || units[at].letter != filler)
        out.push_back(units[at]);
      else if (out.size() > first)
        out.back().end = units[at].end;
    }
  }
  if (!any) return;
  as_ = "interleaved";
  least_width_ = 2;
  pass(view, out, Reads::kDigits, false);
  as_ = {};
  least_width_ = 0;
}

namespace {

// Whether a word and nothing else stands there; one more letter, the last filler, may follow.
bool is_one_token(std::string_view text, size_t begin, size_t end) {
  const auto is_part = [&](size_t at) {
    return at < text.size() &&
           ((text[at] | 0x20) < 'a' || (text[at] | 0x20) > 'z' ? text[at] & 0x80 : 1);
  };
  if (begin > 0 && is_part(begin - 1)) return false;
  if (text.substr(begin, end - begin).find_first_of(" \t\r\n") != text.npos) return false;
  return !is_part(end) || !is_part(end + 1);
}

}  // namespace

void Search::weak(const View& view, std::span<const Unit> picked, size_t least,
                  std::string_view disguise) {
  uint32_t state = Automaton::kStart;
  for (size_t i = 0; i < picked.size(); ++i) {
    state = index_.plain.next(state, coarse(picked[i].letter));
    if (!index_.plain.ends(state)) continue;
    index_.plain.each(state, [&](uint32_t id) {
      const Pattern& pattern = index_.patterns[id];
      const size_t n = pattern.letters.size();
      const size_t first = i + 1 - n;
      const bool is_word = disguise == "interleaved" && n >= 6 && pattern.form == Form::kPlain &&
                           is_one_token(view.text, picked[first].begin, picked[i].end);
      if (n < least && !is_word) return;
      for (size_t k = 0; k < n; ++k)
        if (!may_be(picked[first + k], pattern.letters[k])) return;
      report(view, picked, pattern.target, {first, i, disguise});
    });
  }
}

void Search::picked(const View& view, std::span<const Unit> units) {
  const Picks picks = pick(view.text, units);
  as_ = "spelled out";
  pass(view, picks.alone, Reads::kLetters, false);
  if (picks.alone_but_a.size() < picks.alone.size())
    pass(view, picks.alone_but_a, Reads::kLetters, false);
  if (picks.words.size() >= 3) pass(view, picks.words, Reads::kLetters, false);
  as_ = {};
  weak(view, picks.lines, 5, "first letters");
  weak(view, picks.sentences, 6, "first letters");
  weak(view, picks.firsts, 8, "first letters");
  weak(view, picks.lasts, 8, "last letters");
}

}  // namespace expunge::guard
