// Base64 and base32, in whatever they are embedded and however they are broken into groups.
#include <algorithm>
#include <array>

#include "guard/views.h"

namespace expunge::guard {
namespace {

enum class Alphabet { kBase64, kLetters64, kBase32 };

// -1: not of the alphabet. kLetters64 takes signs for separators, as in "QmFz-aWwg".
std::array<int8_t, 256> digits(Alphabet alphabet) {
  std::array<int8_t, 256> out;
  out.fill(-1);
  for (int i = 0; i < 26; ++i) {
    out[size_t('A' + i)] = static_cast<int8_t>(i);
    out[size_t('a' + i)] = static_cast<int8_t>(alphabet == Alphabet::kBase32 ? i : 26 + i);
  }
  if (alphabet == Alphabet::kBase32) {
    for (int i = 0; i < 6; ++i) out[size_t('2' + i)] = static_cast<int8_t>(26 + i);
    return out;
  }
  for (int i = 0; i < 10; ++i) out[size_t('0' + i)] = static_cast<int8_t>(52 + i);
  if (alphabet == Alphabet::kBase64) {
    out['+'] = out['-'] = 62;
    out['/'] = out['_'] = 63;
  }
  return out;
}

struct Digits {
  std::vector<uint8_t> values;
  std::vector<View::Span> from;
};

// Digits of one run as bytes, beginning at the offset.
void decode(const Digits& run, size_t offset, int bits, View* out) {
  std::string bytes;
  std::vector<View::Span> from;
  uint32_t held = 0;
  int count = 0;
  uint32_t begin = 0;
  for (size_t i = offset; i < run.values.size(); ++i) {
    if (count == 0) begin = run.from[i].begin;
    held = held << bits | run.values[i];
    count += bits;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(held >> count & 0xFF);
    from.push_back({std::min(begin, run.from[i].begin), std::max(begin, run.from[i].end)});
    begin = run.from[i].begin;
  }
  add_text(bytes, from, out);
}

// Every run, at every place in its groups where it may begin; `joined`: across blanks.
void read_runs(const View& in, Alphabet alphabet, bool joined, View* out) {
  const std::array<int8_t, 256> table = digits(alphabet);
  const int bits = alphabet == Alphabet::kBase32 ? 5 : 6;
  const size_t least = alphabet == Alphabet::kBase32 ? 7 : 4;
  Digits run;
  const auto finish = [&] {
    const size_t group = bits == 5 ? 8 : 4;
    if (run.values.size() >= least)
      for (size_t offset = 0; offset < group; ++offset) decode(run, offset, bits, out);
    run = {};
  };
  for (size_t at = 0; at < in.text.size(); ++at) {
    const int8_t value = table[static_cast<unsigned char>(in.text[at])];
    if (value >= 0) {
      run.values.push_back(static_cast<uint8_t>(value));
      run.from.push_back(in.span(at, at + 1));
    } else if (!joined || in.text[at] == '=') {
      finish();
    }
  }
  finish();
}

// The text with each word that is the encoding of text replaced, for names that are so in part.
std::optional<View> replace_words(const View& in) {
  const std::array<int8_t, 256> table = digits(Alphabet::kBase64);
  Patch out(in, "base64");
  for (size_t at = 0; at < in.text.size();) {
    size_t end = at;
    Digits word;
    for (; end < in.text.size(); ++end) {
      const int8_t value = table[static_cast<unsigned char>(in.text[end])];
      if (value < 0) break;
      word.values.push_back(static_cast<uint8_t>(value));
      word.from.push_back(in.span(end, end + 1));
    }
    const size_t size = end - at;
    View part;
    if (size >= 4 && size % 4 != 1 && count_odd(std::string_view(in.text).substr(at, size)) > 0)
      decode(word, 0, 6, &part);
    const bool is_whole = part.text.size() == size * 6 / 8 + 1;
    while (is_whole && end < in.text.size() && in.text[end] == '=') ++end;
    if (is_whole) out.replace(at, end, std::string_view(part.text).substr(0, part.text.size() - 1));
    at = end + 1;
  }
  return std::move(out).take();
}

// Letters and digits that stand alone, as when what is encoded is spelled out.
size_t count_single(std::string_view text) {
  size_t out = 0;
  for (size_t i = 0; i < text.size(); ++i)
    out += (i == 0 || text[i - 1] == ' ') && text[i] > ' ' &&
           (i + 1 == text.size() || text[i + 1] == ' ');
  return out;
}
bool has_capitals(std::string_view text, size_t least) {
  size_t run = 0;
  for (const char c : text) {
    run = (c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7') || c == '-' || c == ' ' ? run + 1 : 0;
    if (run >= least) return true;
  }
  return false;
}
bool is_one_case(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

}  // namespace

std::optional<View> read_base64(const View& in) {
  View out{.disguise = "base64"};
  const size_t odd = std::max(count_odd(in.text), count_single(in.text) / 8 * 2);
  const bool one_case = is_one_case(in.text);
  if (odd > 0 && !one_case) {
    if (auto words = replace_words(in)) {
      out = std::move(*words);
      out.add("\n", out.spans.back());
    }
    read_runs(in, Alphabet::kBase64, false, &out);
    if (odd > 1) {
      read_runs(in, Alphabet::kBase64, true, &out);
      read_runs(in, Alphabet::kLetters64, true, &out);
    }
  }
  if (has_capitals(in.text, 8) || (one_case && odd > 0)) {
    read_runs(in, Alphabet::kBase32, false, &out);
    read_runs(in, Alphabet::kBase32, true, &out);
  }
  if (out.text.empty()) return std::nullopt;
  return out;
}

}  // namespace expunge::guard
