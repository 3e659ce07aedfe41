#include "guard/views.h"

#include <algorithm>
#include <array>

#include "base/utf8.h"

namespace expunge::guard {
namespace {

bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

std::string utf8(char32_t c) {
  std::string out;
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 0x3F))};
  } else if (c < 0x10000) {
    out += {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3F)),
            static_cast<char>(0x80 | (c & 0x3F))};
  } else if (c <= 0x10FFFF) {
    out += {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3F)),
            static_cast<char>(0x80 | (c >> 6 & 0x3F)), static_cast<char>(0x80 | (c & 0x3F))};
  }
  return out;
}

bool add_text(std::string_view bytes, std::span<const View::Span> from, View* out) {
  bool any = false;
  size_t letters = 0;
  const size_t none = out->text.size();
  size_t start = none;  // where this part began in the output
  const auto finish = [&] {
    if (letters >= 3) {
      out->add("\n", out->spans.back());
      any = true;
    } else {
      out->text.resize(start);
      out->spans.resize(start);
    }
    start = out->text.size();
    letters = 0;
  };
  for (size_t at = 0; at < bytes.size();) {
    const auto first = static_cast<unsigned char>(bytes[at]);
    const base::Char c = base::char_at(bytes, at);
    if (first == 0) {  // the other half of UTF-16
      ++at;
      continue;
    }
    const bool is_text = c.size > 0 &&
                         (first >= 0x20 || first == '\n' || first == '\t' || first == '\r') &&
                         first != 0x7F && (c.code < 0x80 || c.code >= 0xA0);
    if (!is_text) {
      if (out->text.size() > start) finish();
      ++at;
      continue;
    }
    out->add(bytes.substr(at, c.size), {from[at].begin, from[at + c.size - 1].end});
    if (c.size > 1 || is_word_byte(bytes[at])) ++letters;
    at += c.size;
  }
  if (out->text.size() > start) finish();
  return any;
}

// rot13 for all of ASCII that is drawn.
std::optional<View> read_rot47(const View& in) {
  if (in.text.find_first_of("=:>?@56782345]ABCDEFGH") == in.text.npos) return std::nullopt;
  View out{.disguise = "rot47"};
  out.copy(in, 0, in.text.size());
  for (char& c : out.text)
    if (c > ' ' && c < 0x7F) c = static_cast<char>('!' + (c - '!' + 47) % 94);
  return out;
}

namespace {

std::optional<View> read_keys(const View& in, ptrdiff_t shift) {
  static constexpr std::string_view kRows =
      "`1234567890-=  qwertyuiop[]\\  asdfghjkl;'  zxcvbnm,./ ";
  static const std::array<std::array<char, 128>, 2> kNeighbours = [] {
    std::array<std::array<char, 128>, 2> out;
    for (size_t i = 0; i < 128; ++i) {
      const char c = i >= 'A' && i <= 'Z' ? static_cast<char>(i | 0x20) : static_cast<char>(i);
      const size_t at = kRows.find(c);
      const bool is_key = c > ' ' && at != kRows.npos;
      out[0][i] = is_key && at > 0 ? kRows[at - 1] : c;
      out[1][i] = is_key ? kRows[at + 1] : c;
    }
    return out;
  }();
  View out{.disguise = "keyboard"};
  out.copy(in, 0, in.text.size());
  for (char& c : out.text)
    if (static_cast<unsigned char>(c) < 128) c = kNeighbours[shift > 0][static_cast<size_t>(c)];
  return out;
}

}  // namespace

std::optional<View> read_keys_left(const View& in) { return read_keys(in, -1); }
std::optional<View> read_keys_right(const View& in) { return read_keys(in, 1); }

std::optional<View> read_backwards(const View& in) {
  // Plain words are found backwards as they are: only what is encoded must be turned first.
  if (count_odd(in.text) == 0 && in.text.find_first_of("%\\&=;") == in.text.npos)
    return std::nullopt;
  View out{.text = std::string(in.text.rbegin(), in.text.rend()), .disguise = "reversed"};
  for (size_t i = in.text.size(); i-- > 0;) out.spans.push_back(in.span(i, i + 1));
  return out;
}

void Patch::replace(size_t first, size_t end, std::string_view means) {
  constexpr size_t kNear = 160;  // a name that is replaced in part is not longer
  if (!any_) {
    copied_ = first - std::min(first, kNear);
    any_ = true;
  } else if (first > copied_ + 2 * kNear) {
    out_.copy(in_, copied_, copied_ + kNear);
    out_.add("\n", in_.span(copied_ + kNear, copied_ + kNear + 1));
    copied_ = first - kNear;
  }
  out_.copy(in_, copied_, first);
  out_.add(means, in_.span(first, end));
  copied_ = end;
}

std::optional<View> Patch::take() && {
  if (!any_) return std::nullopt;
  out_.copy(in_, copied_, std::min(in_.text.size(), copied_ + 160));
  return std::move(out_);
}

size_t count_odd(std::string_view text) {
  size_t odd = 0;
  for (size_t at = 0; at < text.size();) {
    bool upper_inside = false, lower = false, digit = false, letter = false;
    size_t end = at;
    for (; end < text.size() && is_word_byte(text[end]); ++end) {
      const char c = text[end];
      digit = digit || c <= '9';
      letter = letter || c > '9';
      lower = lower || c >= 'a';
      upper_inside = upper_inside || (end > at && c >= 'A' && c <= 'Z');
    }
    if (end - at >= 3 && ((upper_inside && lower) || (digit && letter))) ++odd;
    at = end + 1;
  }
  return odd;
}

}  // namespace expunge::guard
