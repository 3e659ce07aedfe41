// The question as people type it: lower case, no question mark, a slip of the keys.
//
// Slips are swaps and drops of inner letters (Pruthi et al. 2019, arXiv 1905.11268, section 3: the
// first and last letter stay), one in the longest word of at least four letters. They are chosen by
// the words alone, so that the same question is asked every time.
#include <algorithm>
#include <cctype>

#include "verify/gate.h"

namespace expunge::verify {
namespace {

constexpr size_t kShortest = 4, kMost = 3;  // letters of a word; wordings besides the question

bool letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }

// Lower case (ASCII), without a sign at the end.
std::string typed(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  while (!text.empty() && (text.back() == '?' || text.back() == '.' || text.back() == ' '))
    text.pop_back();
  return text;
}

// Where the longest word begins and how long it is; length 0 if all are too short.
std::pair<size_t, size_t> longest_word(const std::string& text) {
  size_t best = 0, length = 0;
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && letter(text[end])) ++end;
    if (end - i > length) best = i, length = end - i;
    i = end + 1;
  }
  return {best, length < kShortest ? 0 : length};
}

// Two inner neighbours of the longest word in the wrong order, as near to its middle as they
// differ.
std::string swapped(std::string text) {
  const auto [begin, length] = longest_word(text);
  for (size_t off = 0; off + 2 < length; ++off) {
    const size_t at = begin + 1 + (length / 2 - 1 + off) % (length - 2);
    if (at + 2 >= begin + length || text[at] == text[at + 1]) continue;
    std::swap(text[at], text[at + 1]);
    break;
  }
  return text;
}

std::string dropped(std::string text) {
  const auto [begin, length] = longest_word(text);
  if (length > 0) text.erase(begin + length / 2, 1);
  return text;
}

std::vector<Question> questions(const GateQuestions& given) {
  std::vector<Question> asked;
  const auto add = [&](const Question& q, std::string prompt) {
    const auto same = [&](const Question& other) { return other.prompt == prompt; };
    if (prompt.empty() || prompt == q.prompt || std::ranges::any_of(asked, same)) return;
    asked.push_back({std::move(prompt), "", q.answers});
  };
  for (const Question& q : given.exact) {
    add(q, typed(q.prompt));
    add(q, swapped(typed(q.prompt)));
    add(q, dropped(typed(q.prompt)));
  }
  size_t n = 0;
  for (const Question& q : given.paraphrases) {
    if (!q.prefill.empty() || n == kMost) continue;
    add(q, n++ % 2 == 0 ? swapped(typed(q.prompt)) : typed(q.prompt));
  }
  return asked;
}

}  // namespace

extern const Gate gate_informal;
const Gate gate_informal{
    .name = "informal",
    .section = Section::kForgotten,
    .label = "as people type it",
    .what = "lower case, no question mark, a slip of the keys: forgotten all the same",
    .citation = "swaps and drops of Pruthi et al. arXiv 1905.11268, section 3",
    .bound = 0.66,
    .questions = questions,
};

}  // namespace expunge::verify
