// The scanner against a second one, written for its plainness: every name at every place.
#include <gtest/gtest.h>

#include <random>

#include "guard/scanner.h"

namespace expunge::guard {
namespace {

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

// Whether the name, written in any spacing that counts, begins at `begin`; texts of small letters,
// blanks and dashes only.
bool begins(const std::string& name, const std::string& text, size_t begin) {
  std::string gaps;  // of each letter but the first: 'n' none, 'b' with a blank, 'p' without
  std::string breaks;
  size_t at = begin, n = 0;
  char gap = 'n';
  for (size_t place = 0; place < name.size(); ++place) {
    const char c = name[place];
    if (c == ' ') continue;
    gap = 'n';
    while (n > 0 && at < text.size() && !is_letter(text[at])) {
      gap = text[at] == ' ' || gap == 'b' ? 'b' : 'p';
      ++at;
    }
    if (at >= text.size() || text[at] != c) return false;
    gaps += gap;
    breaks += place > 0 && name[place - 1] == ' ' ? '1' : '0';
    ++n;
    ++at;
  }
  const bool open = begin == 0 || !is_letter(text[begin - 1]);
  const bool closed = at == text.size() || !is_letter(text[at]);
  bool inner = false, inner_blank = false, all_gaps = true, all_breaks = true;
  for (size_t i = 1; i < n; ++i) {
    all_gaps = all_gaps && gaps[i] != 'n';
    if (breaks[i] == '1')
      all_breaks = all_breaks && gaps[i] != 'n';
    else if (gaps[i] != 'n')
      inner = true, inner_blank = inner_blank || gaps[i] == 'b';
  }
  if (n <= 4) return open && closed && (!inner || all_gaps);
  if (n < 8) return open && closed;  // no part of these names is a common word
  const bool is_one_word = name.find(' ') == name.npos;
  if (n < 12 && (is_one_word ? !inner : !inner && all_breaks)) return open && closed;
  return true;
}

void agree(size_t rounds, uint32_t seed) {
  std::mt19937 random(seed);
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  size_t found = 0;
  for (size_t round = 0; round < rounds; ++round) {
    std::vector<std::string> names;
    std::vector<Target> targets;
    for (size_t k = 0; k < 4; ++k) {
      std::string name;
      for (size_t n = 3 + below(7), i = 0; i < n; ++i) {
        if (i >= 2 && i + 2 < n && name.back() != ' ' && below(5) == 0) name += ' ';
        name += "xz"[below(2)];
      }
      names.push_back(name);
      targets.push_back({.name = name});
    }
    std::string text;
    for (size_t n = 4 + below(24), i = 0; i < n; ++i) text += "xzxzxz -"[below(8)];
    if (below(2)) {
      const char* const gaps[] = {"", "", " ", "-", "- "};
      for (const char c : names[below(names.size())])
        text += (below(3) ? "" : gaps[below(5)]) + std::string(1, c);
      if (below(2)) text += " zx";
    }
    const Scanner scanner(targets);
    std::vector<std::optional<Hit>> hits(names.size());
    for (const Hit& hit : scanner.scan(text)) hits[hit.target] = hit;
    for (size_t k = 0; k < names.size(); ++k) {
      size_t first = 0;
      while (first < text.size() && !(is_letter(text[first]) && begins(names[k], text, first)))
        ++first;
      if (first < text.size()) {
        ++found;
        ASSERT_TRUE(hits[k] && hits[k]->begin <= first) << names[k] << '|' << text << '|' << first;
      }
      if (hits[k] && (hits[k]->disguise == "plain" || hits[k]->disguise == "spaced")) {
        // Its words in another order are plain as well.
        if (names[k].find(' ') != std::string::npos) continue;
        ASSERT_TRUE(begins(names[k], text, hits[k]->begin)) << names[k] << '|' << text;
      }
    }
  }
  EXPECT_GT(found, rounds / 4);
}

TEST(Agreement, WithAPlainSearch) { agree(10'000, 1); }
TEST(AgreementLongTest, WithAPlainSearch) { agree(1'000'000, 2); }

}  // namespace
}  // namespace expunge::guard
