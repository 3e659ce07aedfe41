// Letters as numbers: character codes of any base, places in the alphabet, runs of digits.
#include <algorithm>
#include <array>
#include <charconv>

#include "guard/views.h"

namespace expunge::guard {
namespace {

bool is_hex(char c) { return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alnum(char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'); }

struct Token {
  std::string_view digits;
  View::Span from;
  bool follows;  // the token before is near, without words between
};

// Numbers and what looks like hexadecimal ones; 0x, 0b, \x and the like before them are skipped.
std::vector<Token> tokens(const View& in) {
  std::vector<Token> out;
  const std::string_view text = in.text;
  size_t last_end = 0;
  bool broken = true;
  for (size_t at = 0; at < text.size();) {
    if (!is_alnum(text[at])) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < text.size() && is_alnum(text[end])) ++end;
    std::string_view word = text.substr(at, end - at);
    if (word.size() > 2 && word[0] == '0' && std::string_view("xXbBoO").find(word[1]) != word.npos)
      word.remove_prefix(2);
    else if (word.size() > 1 && (word[0] == 'x' || word[0] == 'u' || word[0] == 'U'))
      word.remove_prefix(1);
    if (word.size() <= 16 && std::all_of(word.begin(), word.end(), is_hex)) {
      out.push_back({word, in.span(at, end), !broken && at - last_end <= 4});
      broken = false;
    } else if (text.substr(end, 1) != "(") {  // "chr(66)+chr(97)"
      broken = true;
    }
    last_end = at = end;
  }
  return out;
}

std::optional<uint32_t> value(std::string_view digits, int base) {
  uint32_t out = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), out, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return out;
}

// What a number means in one of the codes; 0: nothing.
using Code = char32_t (*)(std::string_view);

template <int kBase>
char32_t character(std::string_view digits) {
  if (kBase == 2 && digits.size() < 5) return 0;
  const auto c = value(digits, kBase);
  return c && *c >= 0x20 && *c < 0x110000 && *c != 0x7F ? *c : 0;
}
char32_t letter_from_1(std::string_view digits) {
  const auto c = digits.size() <= 2 ? value(digits, 10) : std::nullopt;
  return c && *c >= 1 && *c <= 26 ? 'a' + *c - 1 : 0;
}
char32_t letter_from_0(std::string_view digits) {
  const auto c = digits.size() <= 2 ? value(digits, 10) : std::nullopt;
  return c && *c <= 25 ? 'a' + *c : 0;
}
char32_t letter_backwards(std::string_view digits) {
  const auto c = digits.size() <= 2 ? value(digits, 10) : std::nullopt;
  return c && *c >= 1 && *c <= 26 ? 'z' - *c + 1 : 0;
}
char32_t polybius(std::string_view digits) {  // row and column of a square without J
  if (digits.size() != 2 || digits[0] < '1' || digits[0] > '5' || digits[1] < '1' ||
      digits[1] > '5')
    return 0;
  const auto index = static_cast<char32_t>((digits[0] - '1') * 5 + digits[1] - '1');
  return 'a' + index + (index >= 9);
}
char32_t tapped(std::string_view digits) {  // the same with J and without K
  const char32_t c = polybius(digits);
  return c == 'k' ? 'j' : c;
}
char32_t key_pressed(std::string_view digits) {  // of a telephone: 222 is C
  constexpr std::string_view kKeys[] = {"abc", "def", "ghi", "jkl", "mno", "pqrs", "tuv", "wxyz"};
  if (digits.empty() || digits[0] < '2' || digits[0] > '9') return 0;
  const std::string_view key = kKeys[digits[0] - '2'];
  if (digits.size() > key.size() || digits.find_first_not_of(digits[0]) != digits.npos) return 0;
  return static_cast<unsigned char>(key[digits.size() - 1]);
}
constexpr Code kCodes[] = {character<10>,    character<16>, character<8>, character<2>,
                           letter_from_1,    letter_from_0, polybius,     tapped,
                           letter_backwards, key_pressed};

void read_code(const std::vector<Token>& tokens, Code code, View* out) {
  std::string line, bytes;
  std::vector<View::Span> from, bytes_from;
  size_t letters = 0;
  const auto finish = [&] {
    const bool is_utf8 = bytes.size() == bytes_from.size() && bytes.size() < line.size();
    if (is_utf8) add_text(bytes, bytes_from, out);
    bytes.clear();
    bytes_from.clear();
    if (letters >= 3) {
      for (size_t i = 0; i < line.size(); ++i) out->add(line.substr(i, 1), from[i]);
      out->add("\n", from.back());
    }
    line.clear();
    from.clear();
    letters = 0;
  };
  for (const Token& token : tokens) {
    const char32_t c = code(token.digits);
    if (!token.follows || c == 0) finish();
    if (c == 0) continue;
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ++letters;
    if (c >= 0x80) ++letters;
    const std::string read = utf8(c);
    line += read;
    from.insert(from.end(), read.size(), token.from);
    if (c > 0xFF) continue;  // else perhaps a byte of several
    bytes += static_cast<char>(c);
    bytes_from.push_back(token.from);
  }
  finish();
}

// The digits of a run as bytes of `width` digits, from every place where one may begin.
void read_packed(const View& in, size_t first, size_t end, int base, size_t width, View* out) {
  for (size_t offset = 0; offset < width; ++offset) {
    std::string bytes;
    std::vector<View::Span> from;
    for (size_t at = first + offset; at + width <= end; at += width) {
      const auto c = value(std::string_view(in.text).substr(at, width), base);
      bytes += static_cast<char>(c.value_or(0x1F));
      from.push_back(in.span(at, at + width));
    }
    add_text(bytes, from, out);
  }
}

// Decimal codes without separators: letters take two digits below 100, else three.
void read_decimal(const View& in, size_t first, size_t end, View* out) {
  for (size_t offset = 0; offset < 3; ++offset) {
    std::string bytes;
    std::vector<View::Span> from;
    for (size_t at = first + offset; at < end;) {
      const size_t width = in.text[at] == '1' ? 3 : 2;
      if (at + width > end) break;
      const auto c = value(std::string_view(in.text).substr(at, width), 10);
      bytes += static_cast<char>(c.value_or(0x1F) < 256 ? *c : 0x1F);
      from.push_back(in.span(at, at + width));
      at += width;
    }
    add_text(bytes, from, out);
  }
}

}  // namespace

std::optional<View> read_hex(const View& in) {
  View out{.disguise = "hex"};
  const std::string_view text = in.text;
  for (size_t at = 0; at < text.size();) {
    if (!is_hex(text[at])) {
      ++at;
      continue;
    }
    size_t end = at, binary = at, decimal = at;
    while (end < text.size() && is_hex(text[end])) ++end;
    while (binary < end && (text[binary] == '0' || text[binary] == '1')) ++binary;
    while (decimal < end && is_digit(text[decimal])) ++decimal;
    if (end - at >= 6) read_packed(in, at, end, 16, 2, &out);
    if (binary - at >= 21) {
      read_packed(in, at, binary, 2, 8, &out);
      read_packed(in, at, binary, 2, 7, &out);
    }
    if (decimal - at >= 6) read_decimal(in, at, decimal, &out);
    at = end;
  }
  if (out.text.empty()) return std::nullopt;
  return out;
}

std::optional<View> read_numbers(const View& in) {
  if (std::count_if(in.text.begin(), in.text.end(), is_digit) < 3) return std::nullopt;
  const std::vector<Token> all = tokens(in);
  if (all.size() < 3) return std::nullopt;
  View out{.disguise = "numbers"};
  for (const Code code : kCodes) read_code(all, code, &out);
  // Nibbles and bits in groups: "0100 0010", "4 2 6 1".
  View joined;
  for (const Token& token : all) {
    if (!token.follows && !joined.text.empty()) joined.add(".", token.from);
    joined.add(token.digits, token.from);
  }
  if (const auto packed = read_hex(joined)) out.copy(*packed, 0, packed->text.size());
  if (out.text.empty()) return std::nullopt;
  return out;
}

}  // namespace expunge::guard
