// Escapes of URLs, HTML, programming languages and mail; markup that a reader does not see.
#include <algorithm>
#include <array>
#include <charconv>

#include "guard/views.h"

namespace expunge::guard {
namespace {

struct Escape {
  size_t size = 0;  // bytes that it takes; 0: none
  std::string means = {};
};

bool is_alpha(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// At most `most` digits at the beginning of s.
Escape number(std::string_view s, int base, size_t least, size_t most) {
  uint32_t value = 0;
  const char* const end = s.data() + std::min(s.size(), most);
  const auto [at, error] = std::from_chars(s.data(), end, value, base);
  const auto size = static_cast<size_t>(at - s.data());
  if (error != std::errc() || size < least || value > 0x10FFFF) return {};
  return {size, utf8(value)};
}

Escape byte(std::string_view s) {  // two hexadecimal digits: a byte, perhaps of several
  Escape out = number(s, 16, 2, 2);
  uint32_t value = 0;
  if (out.size) std::from_chars(s.data(), s.data() + 2, value, 16);
  if (out.size) out.means = std::string(1, static_cast<char>(value));
  return out;
}

Escape entity(std::string_view s) {  // after the ampersand
  if (s.starts_with("#x") || s.starts_with("#X")) {
    Escape out = number(s.substr(2), 16, 1, 8);
    if (out.size) out.size += 2 + s.substr(2 + out.size).starts_with(";");
    return out;
  }
  if (s.starts_with("#")) {
    Escape out = number(s.substr(1), 10, 1, 8);
    if (out.size) out.size += 1 + s.substr(1 + out.size).starts_with(";");
    return out;
  }
  const size_t end = s.substr(0, 12).find(';');
  if (end == s.npos || end == 0) return {};
  const std::string_view name = s.substr(0, end);
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"amp", "&"},           {"lt", "<"},     {"gt", ">"},     {"quot", "\""},
      {"apos", "'"},          {"nbsp", " "},   {"percnt", "%"}, {"num", "#"},
      {"bsol", "\\"},         {"equals", "="}, {"commat", "@"}, {"dollar", "$"},
      {"excl", "!"},          {"shy", ""},     {"zwj", ""},     {"zwnj", ""},
      {"ZeroWidthSpace", ""}, {"szlig", "ss"}, {"AElig", "AE"}, {"aelig", "ae"},
      {"eth", "d"},           {"thorn", "th"}};
  for (const auto& [known, means] : kNames)
    if (name == known) return {end + 1, std::string(means)};
  constexpr std::string_view kAccents[] = {"acute", "grave", "circ",  "uml",  "tilde", "cedil",
                                           "ring",  "caron", "slash", "macr", "breve", "ogon",
                                           "strok", "dot",   "fr",    "scr",  "opf"};
  for (const std::string_view accent : kAccents)
    if (is_alpha(name[0]) && name.substr(1) == accent) return {end + 1, std::string(1, name[0])};
  return {};
}

// Four digits, or a pair of surrogates, as JSON writes what is above U+FFFF.
Escape utf16(std::string_view s) {
  const auto unit = [](std::string_view digits) {
    uint32_t value = 0;
    if (digits.size() < 4) return value;
    const auto [at, error] = std::from_chars(digits.data(), digits.data() + 4, value, 16);
    return error == std::errc() && at == digits.data() + 4 ? value : 0;
  };
  const uint32_t high = unit(s);
  if ((high & 0xFC00) == 0xD800 && s.substr(4).starts_with("\\u"))
    if (const uint32_t low = unit(s.substr(6)); (low & 0xFC00) == 0xDC00)
      return {10, utf8(0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF))};
  return number(s, 16, 4, 4);
}

Escape backslash(std::string_view s) {  // after it
  if (s.empty()) return {};
  Escape out;
  size_t before = 1;
  if (s[0] == 'x' || s[0] == 'u' || s[0] == 'U') {
    if (s.size() > 1 && s[1] == '{') {
      out = number(s.substr(2), 16, 1, 8);
      before = 2 + (out.size && s.substr(2 + out.size).starts_with("}"));
    } else {
      out = s[0] == 'x'   ? byte(s.substr(1))
            : s[0] == 'u' ? utf16(s.substr(1))
                          : number(s.substr(1), 16, 8, 8);
    }
  } else if (s[0] >= '0' && s[0] <= '7') {
    out = number(s, 8, 2, 3);
    before = 0;
  } else if (std::string_view("nrtvf0").find(s[0]) != std::string_view::npos) {
    out = {0, " "};
    return {1, " "};
  } else if (s.starts_with("N{")) {
    return {};
  } else {
    out = number(s, 16, 2, 6);  // CSS
    before = 0;
  }
  if (out.size) out.size += before;
  return out;
}

Escape escape_at(std::string_view s) {
  Escape out;
  switch (s[0]) {
    case '%':
      out = s.size() > 1 && (s[1] == 'u' || s[1] == 'U') ? number(s.substr(2), 16, 4, 4)
                                                         : byte(s.substr(1));
      if (out.size && (s[1] == 'u' || s[1] == 'U')) ++out.size;
      break;
    case '=':
      if (s.starts_with("=\r\n")) return {3, ""};
      if (s.starts_with("=\n")) return {2, ""};
      out = byte(s.substr(1));
      break;
    case '&':
      out = entity(s.substr(1));
      break;
    case '\\':
      out = backslash(s.substr(1));
      break;
    case 'U':
    case 'u':
      if (s.size() < 6 || s[1] != '+') return {};
      out = number(s.substr(2), 16, 4, 6);
      if (out.size) ++out.size;
      break;
    default:
      return {};
  }
  if (out.size) ++out.size;
  return out;
}

// What a reader of the finished page does not see, and the names that some programs give letters.
Escape markup_at(std::string_view s) {
  if (s[0] == '<' && s.size() > 2 && (is_alpha(s[1]) || s[1] == '/' || s[1] == '!')) {
    const bool is_comment = s.starts_with("<!--");
    const size_t end = s.substr(0, 2000).find(is_comment ? "-->" : ">");
    if (end != s.npos) return {end + (is_comment ? 3 : 1), ""};
  }
  if (s.starts_with("\x1b[")) {
    size_t end = 2;
    while (end < s.size() && (is_digit(s[end]) || s[end] == ';' || s[end] == '?')) ++end;
    return {std::min(end + 1, s.size()), ""};
  }
  if (s[0] == '\\' && s.size() > 1) {
    size_t end = 1;
    while (end < s.size() && is_alpha(s[end])) ++end;
    if (end > 2 && s.substr(end).starts_with("{")) return {end + 1, ""};
    if (end == 1 && std::string_view("'`^\"~=.*_").find(s[1]) != std::string_view::npos)
      return {2, ""};
  }
  if (s.starts_with("[/") || s.starts_with("[b]") || s.starts_with("[i]") || s.starts_with("[u]")) {
    const size_t end = s.substr(0, 40).find(']');
    if (end != s.npos) return {end + 1, ""};
  }
  if (s.starts_with("/*")) {
    const size_t end = s.substr(0, 2000).find("*/");
    if (end != s.npos) return {end + 2, ""};
  }
  constexpr std::string_view kIndicator = ":regional_indicator_";
  if (s.starts_with(kIndicator) && s.size() > kIndicator.size() + 1)
    return {kIndicator.size() + 2, std::string(1, s[kIndicator.size()])};
  return {};
}

template <class At>
std::optional<View> replace(const View& in, std::string_view starts, At&& at_start,
                            std::string_view disguise) {
  Patch out(in, disguise);
  const std::string_view text = in.text;
  for (size_t at = text.find_first_of(starts); at < text.size();) {
    const Escape escape = at_start(text.substr(at));
    if (escape.size > 0) out.replace(at, at + escape.size, escape.means);
    at = text.find_first_of(starts, at + std::max<size_t>(escape.size, 1));
  }
  return std::move(out).take();
}

}  // namespace

std::optional<View> read_escapes(const View& in) {
  return replace(in, "%&\\=Uu", escape_at, "escaped");
}

std::optional<View> read_markup(const View& in) {
  return replace(in, "<\x1b\\[/:", markup_at, "markup");
}

}  // namespace expunge::guard
