// Base85: Adobe's ascii85, RFC 1924's alphabet and ZeroMQ's.
#include <algorithm>
#include <array>
#include <numeric>

#include "guard/views.h"

namespace expunge::guard {
namespace {

constexpr std::string_view kRfc1924 =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
constexpr std::string_view kZ85 =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
constexpr size_t kLeast = 10, kSigns = 2;  // characters of a word that is decoded; no letters
constexpr uint8_t kNone = 0xFF;

using Table = std::array<uint8_t, 256>;
Table table_of(std::string_view alphabet) {
  Table out;
  out.fill(kNone);
  for (size_t i = 0; i < alphabet.size(); ++i)
    out[static_cast<unsigned char>(alphabet[i])] = static_cast<uint8_t>(i);
  return out;
}
std::array<Table, 3> tables() {
  std::string ascii85(85, ' ');
  std::iota(ascii85.begin(), ascii85.end(), '!');
  return {table_of(ascii85), table_of(kRfc1924), table_of(kZ85)};
}

// Groups of five characters from `at` on, four bytes each; the last may be shorter.
void decode(const View& in, size_t at, size_t end, const Table& table, View* out) {
  std::string bytes;
  std::vector<View::Span> from;
  for (; at + 1 < end; at += 5) {
    const size_t n = std::min<size_t>(5, end - at);
    uint64_t value = 0;
    bool is_group = true;
    for (size_t i = 0; i < 5; ++i) {
      const uint8_t digit = i < n ? table[static_cast<unsigned char>(in.text[at + i])] : 84;
      is_group = is_group && digit != kNone;
      value = value * 85 + digit;
    }
    is_group = is_group && value <= 0xFFFFFFFF;
    // In a view that runs backwards the first character stands behind the last.
    const View::Span a = in.span(at, at + 1), b = in.span(at + n - 1, at + n);
    const View::Span group = {std::min(a.begin, b.begin), std::max(a.end, b.end)};
    for (size_t i = 0; i + 1 < n; ++i) {
      bytes += is_group ? static_cast<char>(value >> (24 - 8 * i) & 0xFF) : '\1';
      from.push_back(group);
    }
  }
  add_text(bytes, from, out);
}

}  // namespace

std::optional<View> read_base85(const View& in) {
  static const std::array<Table, 3> kTables = tables();
  View out{.disguise = "base85"};
  const auto is_blank = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  const auto is_letter = [](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; };
  for (size_t at = 0; at < in.text.size();) {
    size_t end = at;
    while (end < in.text.size() && !is_blank(in.text[end])) ++end;
    const std::string_view word = std::string_view(in.text).substr(at, end - at);
    const auto letters = static_cast<size_t>(std::ranges::count_if(word, is_letter));
    if (word.size() >= kLeast && word.size() - letters >= kSigns)
      for (const Table& table : kTables)
        for (size_t offset = 0; offset < 5; ++offset) decode(in, at + offset, end, table, &out);
    at = end + 1;
  }
  if (out.text.empty()) return std::nullopt;
  return out;
}

}  // namespace expunge::guard
