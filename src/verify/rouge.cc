#include "verify/rouge.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <unordered_map>

#include "base/error.h"
#include "verify/porter.h"

namespace expunge::verify {
namespace {

using Ids = std::vector<int32_t>;

// Words as numbers, the same word the same number in both texts.
class Interned {
 public:
  Ids ids(std::span<const std::string> words) {
    Ids out;
    out.reserve(words.size());
    for (const std::string& w : words)
      out.push_back(known_.try_emplace(w, static_cast<int32_t>(known_.size())).first->second);
    return out;
  }

 private:
  std::unordered_map<std::string_view, int32_t> known_;
};

Rouge from_counts(size_t common, size_t target, size_t prediction) {
  if (common == 0) return {};
  Rouge r;
  r.precision = static_cast<double>(common) / static_cast<double>(prediction);
  r.recall = static_cast<double>(common) / static_cast<double>(target);
  r.f1 = 2 * r.precision * r.recall / (r.precision + r.recall);
  return r;
}

// The n-grams of a text in lexicographic order, each by where it begins.
std::vector<size_t> sorted_ngrams(const Ids& text, size_t n) {
  std::vector<size_t> starts(text.size() < n ? 0 : text.size() - n + 1);
  std::iota(starts.begin(), starts.end(), size_t{0});
  std::ranges::sort(starts, [&](size_t a, size_t b) {
    return std::ranges::lexicographical_compare(std::span(text).subspan(a, n),
                                                std::span(text).subspan(b, n));
  });
  return starts;
}

// One row of the dynamic program is enough for the length.
size_t lcs_length(std::span<const int32_t> a, std::span<const int32_t> b) {
  if (a.size() < b.size()) std::swap(a, b);
  std::vector<uint32_t> row(b.size() + 1, 0);
  for (const int32_t word : a) {
    uint32_t diagonal = 0;  // of the row before, one to the left
    for (size_t j = 0; j < b.size(); ++j) {
      const uint32_t above = row[j + 1];
      row[j + 1] = word == b[j] ? diagonal + 1 : std::max(above, row[j]);
      diagonal = above;
    }
  }
  return row.back();
}

// Beyond ASCII, two letters become ASCII in lower case: U+0130 (i and a combining dot, which
// separates) and U+212A (k).
char lower_ascii(std::string_view text, size_t& i) {
  const char c = text[i];
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) return c;
  if (text.substr(i).starts_with("\xc4\xb0")) return 'i';
  if (text.substr(i).starts_with("\xe2\x84\xaa")) {
    i += 2;
    return 'k';
  }
  return ' ';
}

}  // namespace

Words rouge_words(std::string_view text, Stemming stemming) {
  Words words;
  std::string word;
  const auto finish = [&] {
    if (word.size() > 3 && stemming == Stemming::kPorter) word = porter_stem(word);
    if (!word.empty()) words.push_back(word);
    word.clear();
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = lower_ascii(text, i);
    if (c == ' ')
      finish();
    else
      word += c;
  }
  finish();
  return words;
}

Rouge rouge_n(size_t n, std::span<const std::string> target,
              std::span<const std::string> prediction) {
  CHECK(n > 0);
  Interned interned;
  const Ids t = interned.ids(target), p = interned.ids(prediction);
  const std::vector<size_t> in_target = sorted_ngrams(t, n), in_prediction = sorted_ngrams(p, n);
  size_t common = 0;
  for (auto a = in_target.begin(), b = in_prediction.begin();
       a != in_target.end() && b != in_prediction.end();) {
    const auto order = std::lexicographical_compare_three_way(
        t.begin() + static_cast<int64_t>(*a), t.begin() + static_cast<int64_t>(*a + n),
        p.begin() + static_cast<int64_t>(*b), p.begin() + static_cast<int64_t>(*b + n));
    common += order == 0 ? 1 : 0;
    if (order <= 0) ++a;
    if (order >= 0) ++b;
  }
  return from_counts(common, in_target.size(), in_prediction.size());
}

Rouge rouge_l(std::span<const std::string> target, std::span<const std::string> prediction) {
  Interned interned;
  const Ids t = interned.ids(target), p = interned.ids(prediction);
  return from_counts(lcs_length(t, p), t.size(), p.size());
}

}  // namespace expunge::verify
