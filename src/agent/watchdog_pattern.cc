// Patterns over words: how they are written and matched.
#include <algorithm>

#include "agent/watchdog_text.h"

namespace expunge::agent {
namespace {

constexpr size_t kGapWords = 5;  // of the same sentence, that `_` may stand for

bool same(std::string_view word, std::string_view wanted) {
  if (wanted.size() > 1 && wanted.back() == '*')
    return word.starts_with(wanted.substr(0, wanted.size() - 1));
  return word == wanted;
}

}  // namespace

base::Result<Pattern> Pattern::parse(std::string_view pattern, std::span<const Lexicon> lexicons) {
  Pattern out;
  for (size_t at = 0; at < pattern.size();) {
    const size_t blank = std::min(pattern.find(' ', at), pattern.size());
    const std::string_view part = pattern.substr(at, blank - at);
    at = blank + 1;
    if (part.empty()) continue;
    Element element;
    if (part == "_" || part == "^" || part == "&") {
      element.kind = part == "_" ? Kind::kGap : part == "^" ? Kind::kOpen : Kind::kEnd;
      out.elements_.push_back(element);
      continue;
    }
    for (size_t a = 0; a <= part.size();) {
      const size_t bar = std::min(part.find('|', a), part.size());
      const std::string_view one = part.substr(a, bar - a);
      a = bar + 1;
      if (one.starts_with('$')) {
        const auto found = std::ranges::find(lexicons, one.substr(1), &Lexicon::name);
        if (found == lexicons.end())
          return base::fail(base::Code::kInvalid, fmt::format("no lexicon named {}", one));
        element.phrases.insert(element.phrases.end(), found->phrases.begin(), found->phrases.end());
      } else if (!one.empty()) {
        element.phrases.push_back(phrase_of(one));
      }
    }
    out.elements_.push_back(std::move(element));
  }
  if (out.elements_.empty()) return base::fail(base::Code::kInvalid, "an empty pattern");
  return out;
}

bool Pattern::match(std::span<const Word> words, size_t at, size_t element, size_t& end) const {
  if (element == elements_.size()) {
    end = at;
    return true;
  }
  const Element& e = elements_[element];
  switch (e.kind) {
    case Kind::kOpen:
      return at < words.size() && words[at].opens && match(words, at, element + 1, end);
    case Kind::kEnd:
      return (at >= words.size() || words[at].breaks) && match(words, at, element + 1, end);
    case Kind::kGap:
      for (size_t n = 0; n <= kGapWords && at + n <= words.size(); ++n) {
        if (match(words, at + n, element + 1, end)) return true;
        if (at + n < words.size() && words[at + n].breaks) return false;
      }
      return false;
    case Kind::kPhrases:
      break;
  }
  for (const Phrase& phrase : e.phrases) {
    if (at + phrase.size() > words.size()) continue;
    bool all = true;
    for (size_t i = 0; all && i < phrase.size(); ++i) all = same(words[at + i].text, phrase[i]);
    if (all && match(words, at + phrase.size(), element + 1, end)) return true;
  }
  return false;
}

Pattern::Match Pattern::find(std::span<const Word> words, size_t from) const {
  for (size_t at = from; at < words.size(); ++at) {
    size_t end = 0;
    if (match(words, at, 0, end)) return {at, end};
  }
  return {};
}

}  // namespace expunge::agent
