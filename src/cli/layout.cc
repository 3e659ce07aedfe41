#include "cli/layout.h"

#include <algorithm>

namespace expunge::cli {
namespace {

using base::Char;
using base::char_at;

size_t width_of(char32_t c) {
  const auto in = [c](char32_t low, char32_t high) { return c >= low && c <= high; };
  if (in(0x300, 0x36F) || in(0x200B, 0x200F) || in(0xFE00, 0xFE0F) || c == 0xFEFF) return 0;
  if (in(0x1100, 0x115F) || in(0x2E80, 0xA4CF) || in(0xAC00, 0xD7A3) || in(0xF900, 0xFAFF) ||
      in(0xFE30, 0xFE6F) || in(0xFF00, 0xFF60) || in(0x1F300, 0x1F9FF) || in(0x20000, 0x3FFFD))
    return 2;
  return 1;
}

// Bytes of the escape sequence ("\x1b[…m") at `at`, else 0.
size_t escape_at(std::string_view s, size_t at) {
  if (s.substr(at, 2) != "\x1b[") return 0;
  const size_t end = s.find('m', at);
  return end == s.npos ? 0 : end + 1 - at;
}

}  // namespace

size_t columns(std::string_view text) {
  size_t n = 0;
  for (size_t at = 0; at < text.size();) {
    if (const size_t skip = escape_at(text, at)) {
      at += skip;
      continue;
    }
    const Char c = char_at(text, at);
    n += c.size ? width_of(c.code) : 1;
    at += c.size ? c.size : 1;
  }
  return n;
}

std::string fit(std::string_view text, size_t width) {
  if (columns(text) <= width) return std::string(text);
  std::string out;
  size_t used = 0;
  for (size_t at = 0; at < text.size();) {
    const Char c = char_at(text, at);
    const size_t w = c.size ? width_of(c.code) : 1, size = c.size ? c.size : 1;
    if (used + w + 1 > width) break;
    out.append(text.substr(at, size));
    used += w;
    at += size;
  }
  return out + "…";
}

std::string pad(std::string_view text, size_t width) {
  std::string out(text);
  for (size_t n = columns(text); n < width; ++n) out += ' ';
  return out;
}

std::string pad_left(std::string_view text, size_t width) {
  const size_t n = columns(text);
  return std::string(n < width ? width - n : 0, ' ') + std::string(text);
}

std::string wrap(std::string_view text, size_t width, size_t indent) {
  std::string out;
  size_t used = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = text.find_first_not_of(' ', at);
    if (begin == text.npos) break;
    const size_t end = std::min(text.find(' ', begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    const size_t w = columns(word);
    if (used > 0 && used + 1 + w > width) {
      out += '\n' + std::string(indent, ' ');
      used = 0;
    } else if (used > 0) {
      out += ' ';
      ++used;
    }
    out += word;
    used += w;
    at = end;
  }
  return out;
}

}  // namespace expunge::cli
