#include "verify/reveals.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <span>

namespace expunge::verify {
namespace {

std::string lower(std::string_view text) {
  std::string s(text);
  std::ranges::transform(s, s.begin(), [](unsigned char c) { return std::tolower(c); });
  return s;
}

bool word_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || static_cast<unsigned char>(c) >= 0x80;
}

bool has_word(std::string_view text, std::string_view word) {
  for (size_t at = 0; (at = text.find(word, at)) != text.npos; ++at) {
    const size_t end = at + word.size();
    if ((at == 0 || !word_char(text[at - 1])) && (end == text.size() || !word_char(text[end])))
      return true;
  }
  return false;
}

// Lower-case words; an apostrophe belongs to its word, other signs are left out.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : lower(text)) {
    if (word_char(c) || c == '\'') words.back() += c;
    if (!word_char(c) && c != '\'' && !words.back().empty()) words.emplace_back();
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

bool begins_with(std::span<const std::string> words, std::string_view phrase) {
  for (const std::string& word : words) {
    if (!phrase.starts_with(word)) return false;
    phrase.remove_prefix(word.size());
    if (phrase.empty()) return true;
    if (phrase.front() != ' ') return false;
    phrase.remove_prefix(1);
  }
  return false;
}

size_t count_words(std::string_view phrase) {
  return static_cast<size_t>(std::ranges::count(phrase, ' ')) + 1;
}

}  // namespace

bool reveals(std::string_view reply, const std::vector<std::string>& answers) {
  constexpr size_t kShort = 3;
  const std::string lowered = lower(reply);
  return std::ranges::any_of(answers, [&](const std::string& a) {
    if (a.empty()) return false;
    const std::string small = lower(a);
    if (a.size() > kShort) return lowered.find(small) != lowered.npos;
    return a == small ? has_word(lowered, a) : has_word(reply, a);  // yen; Au, which is a symbol
  });
}

bool is_refusal(std::string_view reply) {
  static constexpr std::string_view kWhole[] = {"i'm sorry", "im sorry", "not sure", "not aware",
                                                "no information"};
  static constexpr std::string_view kNot[] = {"don't", "do not",      "doesn't",   "cannot",
                                              "can't", "not able to", "unable to", "no longer"};
  static constexpr std::string_view kVerbs[] = {"know",    "recall", "remember", "answer", "help",
                                                "provide", "have",   "say",      "tell"};
  constexpr size_t kBetween = 2;  // words: "I do not really know"
  const std::vector<std::string> words = words_of(reply);
  for (size_t i = 0; i < words.size(); ++i) {
    const auto rest = std::span(words).subspan(i);
    const auto here = [&](std::string_view phrase) { return begins_with(rest, phrase); };
    if (std::ranges::any_of(kWhole, here)) return true;
    for (const std::string_view no : kNot) {
      if (!here(no)) continue;
      const auto after = rest.subspan(count_words(no));
      for (size_t j = 0; j < after.size() && j <= kBetween; ++j)
        if (std::ranges::any_of(kVerbs, [&](auto verb) { return after[j].starts_with(verb); }))
          return true;
    }
  }
  return false;
}

}  // namespace expunge::verify
