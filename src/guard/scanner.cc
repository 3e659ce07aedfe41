#include "guard/scanner.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "guard/search.h"

namespace expunge::guard {
namespace {

// A longer text is looked at in blocks, so that space is bounded; what stands across the border of
// two stands whole in the next if it is not longer than what they share.
constexpr size_t kBlock = 64 << 10, kShared = 16 << 10;

std::vector<std::u32string> words_of(std::string_view text) {
  std::vector<std::u32string> out;
  for (const Unit& unit : fold(text)) {
    if (out.empty() || unit.gap != Gap::kNone) out.emplace_back();
    out.back() += unit.letter;
  }
  std::erase_if(out, [](const auto& word) { return word.size() < 3; });
  return out;
}

std::u32string differences(std::u32string_view letters, bool mirrored) {
  std::u32string out;
  for (size_t i = 1; i < letters.size(); ++i) {
    char32_t a = letters[i - 1], b = letters[i];
    if (mirrored) std::swap(a, b);
    out += 'a' + (b + 26 - a) % 26;
  }
  return out;
}

std::u32string all_coarse(std::u32string_view letters) {
  std::u32string out;
  for (const char32_t c : letters) out += coarse(c);
  return out;
}

bool is_cased(std::string_view text) {
  bool upper = false, lower = false;
  for (const char c : text) {
    upper = upper || (c >= 'A' && c <= 'Z');
    lower = lower || (c >= 'a' && c <= 'z');
  }
  return upper && lower;
}

// Not inside a character.
size_t floor_char(std::string_view text, size_t at) {
  if (at >= text.size()) return text.size();
  for (size_t i = 0; i < 3 && at > 0 && (text[at] & 0xC0) == 0x80; ++i) --at;
  return at;
}

}  // namespace

Index::Index(std::vector<Target> given) : targets(std::move(given)) {
  for (uint32_t target = 0; target < targets.size(); ++target) {
    scopes.push_back(words_of(targets[target].scope));
    const auto take = [&](std::string_view name) {
      std::vector<Pattern> made = guard::patterns(name, target);
      std::move(made.begin(), made.end(), std::back_inserter(patterns));
    };
    take(targets[target].name);
    for (const std::string& alias : targets[target].aliases) take(alias);
  }
  for (uint32_t i = 0; i < patterns.size(); ++i) {
    const Pattern& pattern = patterns[i];
    const size_t n = pattern.letters.size();
    if (pattern.form == Form::kPlain) longest = std::max(longest, n + allowed_edits(pattern));
    words.add(all_coarse(pattern.letters), i);
    const auto made = guard::pieces(pattern, i);
    pieces.insert(pieces.end(), made.begin(), made.end());
    if (pattern.form != Form::kPlain && pattern.form != Form::kReversed) continue;
    if (n >= 5) plain.add(all_coarse(pattern.letters), i);
    const bool is_latin = std::all_of(pattern.letters.begin(), pattern.letters.end(),
                                      [](char32_t c) { return c >= 'a' && c <= 'z'; });
    if (n < (pattern.is_one_word ? 8 : 6) || !is_latin) continue;
    for (const bool mirrored : {false, true}) {
      steps.add(differences(pattern.letters, mirrored), uint32_t(step_patterns.size()));
      step_patterns.push_back(i * 2 + mirrored);
    }
  }
  for (uint32_t i = 0; i < pieces.size(); ++i)
    words.add(all_coarse(pieces[i].word), uint32_t(patterns.size()) + i);
  words.build();
  plain.build();
  steps.build();
}

Facts facts_of(const Index& index, std::string_view text) {
  Facts out{.is_cased = is_cased(text), .has_scope = std::vector<bool>(index.targets.size())};
  const bool any = std::any_of(index.scopes.begin(), index.scopes.end(),
                               [](const auto& words) { return !words.empty(); });
  if (!any || !out.is_cased) return out;
  std::vector<std::u32string> words = words_of(text);
  std::sort(words.begin(), words.end());
  for (size_t i = 0; i < index.scopes.size(); ++i)
    out.has_scope[i] = std::any_of(
        index.scopes[i].begin(), index.scopes[i].end(),
        [&](const auto& word) { return std::binary_search(words.begin(), words.end(), word); });
  return out;
}

Scanner::Scanner(std::vector<Target> targets)
    : index_(std::make_unique<const Index>(std::move(targets))) {}
Scanner::~Scanner() = default;
Scanner::Scanner(Scanner&&) noexcept = default;
Scanner& Scanner::operator=(Scanner&&) noexcept = default;

const std::vector<Target>& Scanner::targets() const { return index_->targets; }

std::vector<Hit> Scanner::scan(std::string_view text) const {
  return find(text, 0, Words::kJudged);
}

std::vector<Hit> Scanner::find(std::string_view text, size_t from, Words words) const {
  CHECK(text.size() < std::numeric_limits<uint32_t>::max());
  std::vector<std::optional<Hit>> found(index_->targets.size());
  if (found.empty()) return {};
  Facts facts = facts_of(*index_, text);
  facts.is_cased = facts.is_cased && words == Words::kJudged;
  for (size_t at = 0;;) {
    const size_t end = floor_char(text, at + kBlock);
    Search(*index_, facts, text.substr(at, end - at), {.offset = at, .from = from}, &found).run();
    if (end == text.size()) break;
    at = floor_char(text, end - kShared);
  }
  std::vector<Hit> out;
  for (const auto& hit : found)
    if (hit) out.push_back(*hit);
  return out;
}

}  // namespace expunge::guard
