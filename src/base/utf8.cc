#include "base/utf8.h"

namespace expunge::base {

Char char_at(std::string_view s, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(s[at + i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || at + size > s.size()) return {};
  char32_t code = first & (0xFF >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = (code << 6) | (byte(i) & 0x3F);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[size] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return {};
  return {code, size};
}

std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool blank = c == '\n' || c == '\r' || c == '\t' || c == ' ';
    if (!blank)
      out += c;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

std::string printable(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const Char c = char_at(text, at);
    const bool control = (c.code < 0x20 && c.code != '\n' && c.code != '\t') ||
                         (c.code >= 0x7F && c.code < 0xA0) ||
                         (c.code >= 0x202A && c.code <= 0x202E) ||  // direction overrides
                         (c.code >= 0x2066 && c.code <= 0x2069);
    if (c.size == 0)
      out += "\uFFFD";
    else if (!control)
      out.append(text.substr(at, c.size));
    at += c.size ? c.size : 1;
  }
  return out;
}

bool is_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const Char c = char_at(text, at);
    if (c.size == 0) return false;
    at += c.size;
  }
  return true;
}

Status check_text(std::string_view text, std::string_view what) {
  if (!is_utf8(text))
    return fail(Code::kInvalid, fmt::format("{} is not UTF-8", what),
                "convert the text, e.g. with iconv -t UTF-8");
  if (text.find_first_not_of(" \t\r\n") == text.npos)
    return fail(Code::kInvalid, fmt::format("{} is empty", what), "give some text");
  return {};
}

}  // namespace expunge::base
