// Names as people hide them, for the tests of src/guard.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace expunge::disguise {

inline bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
inline char lower(char c) { return is_letter(c) ? static_cast<char>(c | 0x20) : c; }

template <class F>
std::string each(std::string_view name, F&& map) {
  std::string out;
  for (const char c : name) out += map(c);
  return out;
}
inline std::string with(std::string_view name, std::string_view between) {
  std::string out;
  for (const char c : name)
    if (c != ' ') out += (out.empty() ? "" : std::string(between)) + c;
  return out;
}
inline std::string printed(std::string_view name, const char* format,
                           std::string_view between = "") {
  std::string out;
  for (const char c : name)
    out += (out.empty() ? "" : std::string(between)) +
           fmt::format(fmt::runtime(format), static_cast<unsigned char>(c));
  return out;
}

inline std::string leet(std::string_view name) {
  return each(name, [](char c) -> std::string {
    const size_t at = std::string_view("aeiost").find(lower(c));
    return std::string(1, at == std::string_view::npos ? c : std::string_view("43105+")[at]);
  });
}
inline std::string look_alikes(std::string_view name) {  // Cyrillic
  return each(name, [](char c) -> std::string {
    constexpr std::pair<char, const char*> kPairs[] = {{'a', "а"}, {'e', "е"}, {'o', "о"},
                                                       {'c', "с"}, {'i', "і"}, {'p', "р"},
                                                       {'s', "ѕ"}, {'x', "х"}};
    for (const auto& [latin, other] : kPairs)
      if (c == latin) return other;
    return std::string(1, c);
  });
}
inline std::string hidden(std::string_view name) {
  return each(name, [](char c) { return c + std::string("\u200B"); });
}
inline std::string bold(std::string_view name) {  // mathematical alphanumeric symbols
  return each(name, [](char c) {
    if (!is_letter(c)) return std::string(1, c);
    const int code = 0x1D400 + (c >= 'a' ? 26 + c - 'a' : c - 'A');
    return std::string{'\xF0', '\x9D', static_cast<char>(0x80 | (code >> 6 & 0x3F)),
                       static_cast<char>(0x80 | (code & 0x3F))};
  });
}
inline std::string reversed(std::string_view name) { return {name.rbegin(), name.rend()}; }
inline std::string shifted(std::string_view name, int by) {
  return each(name, [by](char c) -> std::string {
    if (!is_letter(c)) return std::string(1, c);
    const char first = c >= 'a' ? 'a' : 'A';
    return std::string(1, static_cast<char>(first + (c - first + by) % 26));
  });
}
inline std::string rot13(std::string_view name) { return shifted(name, 13); }
inline std::string atbash(std::string_view name) {
  return each(name, [](char c) -> std::string {
    if (!is_letter(c)) return std::string(1, c);
    return std::string(1, static_cast<char>(c >= 'a' ? 'z' - (c - 'a') : 'Z' - (c - 'A')));
  });
}
inline std::string base(std::string_view bytes, int bits, std::string_view digits, size_t group) {
  std::string out;
  unsigned held = 0;
  int count = 0;
  for (const char c : bytes) {
    held = held << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= bits;) {
      count -= bits;
      out += digits[held >> count & ((1U << bits) - 1)];
    }
  }
  if (count > 0) out += digits[held << (bits - count) & ((1U << bits) - 1)];
  while (group > 0 && out.size() % group != 0) out += '=';
  return out;
}
inline std::string base64(std::string_view name) {
  return base(name, 6, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 4);
}
inline std::string base64_inside(std::string_view name) {
  return base64("The author is " + std::string(name) + ", I think.");
}
inline std::string base64_groups(std::string_view name) {
  std::string out;
  for (const char c : base64_inside(name)) {
    out += c;
    if (out.size() % 5 == 4) out += '\n';
  }
  return out;
}
inline std::string base32(std::string_view name) {
  return base(name, 5, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 8);
}
inline std::string numbers(std::string_view name) {  // places in the alphabet
  std::string out;
  for (const char c : name)
    if (is_letter(c)) out += (out.empty() ? "" : "-") + std::to_string(lower(c) - 'a' + 1);
  return out;
}
inline std::string morse(std::string_view name) {
  constexpr const char* kSigns[] = {".-",   "-...", "-.-.", "-..",  ".",    "..-.", "--.",
                                    "....", "..",   ".---", "-.-",  ".-..", "--",   "-.",
                                    "---",  ".--.", "--.-", ".-.",  "...",  "-",    "..-",
                                    "...-", ".--",  "-..-", "-.--", "--.."};
  return each(name, [&](char c) {
    return is_letter(c) ? kSigns[lower(c) - 'a'] + std::string(" ") : "/ ";
  });
}
inline std::string spoken(std::string_view name) {
  constexpr const char* kWords[] = {
      "Alpha",   "Bravo", "Charlie", "Delta",  "Echo",     "Foxtrot", "Golf",   "Hotel",  "India",
      "Juliett", "Kilo",  "Lima",    "Mike",   "November", "Oscar",   "Papa",   "Quebec", "Romeo",
      "Sierra",  "Tango", "Uniform", "Victor", "Whiskey",  "X-ray",   "Yankee", "Zulu"};
  return each(
      name, [&](char c) { return is_letter(c) ? kWords[lower(c) - 'a'] + std::string(" ") : ""; });
}
inline std::string as_in(std::string_view name) {
  return each(name, [](char c) {
    return is_letter(c)
               ? fmt::format("{} as in {}pple, ", c & ~0x20 ? char(c & ~0x20) : c, lower(c))
               : "";
  });
}
inline std::string lines(std::string_view name) { return with(name, "\n"); }
inline std::string filled(std::string_view name) { return with(name, "x"); }
inline std::string stretched(std::string_view name) {
  return each(name, [](char c) {
    return std::string(std::string_view("aeiou").find(c) == std::string_view::npos ? 1 : 4, c);
  });
}
inline std::string misspelled(std::string_view name) {  // two letters in the middle swapped
  std::string out(name);
  for (size_t i = out.size() / 2; i + 1 < out.size(); ++i)
    if (is_letter(out[i]) && is_letter(out[i + 1]) && out[i] != out[i + 1]) {
      std::swap(out[i], out[i + 1]);
      break;
    }
  return out;
}

struct Way {
  std::string_view name;
  std::string (*hide)(std::string_view);
};
// What can also be told in a stream.
inline const std::vector<Way>& ways() {
  static const std::vector<Way> kWays = {
      {"plain", [](std::string_view n) { return std::string(n); }},
      {"small",
       [](std::string_view n) { return each(n, [](char c) { return std::string(1, lower(c)); }); }},
      {"joined", [](std::string_view n) { return with(n, ""); }},
      {"leet", leet},
      {"look-alikes", look_alikes},
      {"hidden", hidden},
      {"bold", bold},
      {"spaced", [](std::string_view n) { return with(n, " "); }},
      {"dashed", [](std::string_view n) { return with(n, "-"); }},
      {"starred", [](std::string_view n) { return with(n, "*"); }},
      {"leet spaced", [](std::string_view n) { return with(leet(n), " "); }},
      {"look-alikes hidden", [](std::string_view n) { return look_alikes(hidden(n)); }},
      {"reversed", reversed},
      {"rot13", rot13},
      {"rot13 reversed", [](std::string_view n) { return reversed(rot13(n)); }},
      {"shifted", [](std::string_view n) { return shifted(n, 7); }},
      {"atbash", atbash},
      {"base64", base64},
      {"base64 inside", base64_inside},
      {"base64 groups", base64_groups},
      {"base64 of reversed", [](std::string_view n) { return base64(reversed(n)); }},
      {"base64 of base64", [](std::string_view n) { return base64(base64(n)); }},
      {"base64 reversed", [](std::string_view n) { return reversed(base64(n)); }},
      {"base32", base32},
      {"hex", [](std::string_view n) { return printed(n, "{:02x}"); }},
      {"hex spaced", [](std::string_view n) { return printed(n, "{:02X}", " "); }},
      {"hex of base64", [](std::string_view n) { return printed(base64(n), "{:02x}"); }},
      {"0x", [](std::string_view n) { return printed(n, "0x{:02x}", ", "); }},
      {"percent", [](std::string_view n) { return printed(n, "%{:02X}"); }},
      {"percent twice", [](std::string_view n) { return printed(n, "%25{:02X}"); }},
      {"entities", [](std::string_view n) { return printed(n, "&#{};"); }},
      {"entities, hex", [](std::string_view n) { return printed(n, "&#x{:x};"); }},
      {"\\x", [](std::string_view n) { return printed(n, "\\x{:02x}"); }},
      {"\\u", [](std::string_view n) { return printed(n, "\\u{:04x}"); }},
      {"\\u{}", [](std::string_view n) { return printed(n, "\\u{{{:x}}}"); }},
      {"U+", [](std::string_view n) { return printed(n, "U+{:04X}", " "); }},
      {"quoted", [](std::string_view n) { return printed(n, "={:02X}"); }},
      {"octal", [](std::string_view n) { return printed(n, "\\{:03o}"); }},
      {"binary", [](std::string_view n) { return printed(n, "{:08b}", " "); }},
      {"binary joined", [](std::string_view n) { return printed(n, "{:08b}"); }},
      {"decimal", [](std::string_view n) { return printed(n, "{}", " "); }},
      {"decimal joined", [](std::string_view n) { return printed(n, "{}"); }},
      {"numbers", numbers},
      {"morse", morse},
      {"spoken", spoken},
      {"as in", as_in},
      {"lines", lines},
      {"filled", filled},
      {"stretched", stretched},
      {"misspelled", misspelled}};
  return kWays;
}

}  // namespace expunge::disguise
