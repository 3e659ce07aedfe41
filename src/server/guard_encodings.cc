#include "server/guard_encodings.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"

namespace expunge::server {
namespace {

using Text = const std::string&;

std::string base64(Text text, std::string_view last_two, bool pads) {
  const std::string alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + std::string(last_two);
  std::string out;
  for (size_t at = 0; at < text.size(); at += 3) {
    uint32_t bits = 0;
    for (size_t i = 0; i < 3; ++i)
      bits = bits << 8 | (at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0);
    for (size_t i = 0; i < 4; ++i)
      if (at + i <= text.size())
        out += alphabet[(bits >> (18 - 6 * i)) & 63];
      else if (pads)
        out += '=';
  }
  return out;
}

std::string hex(Text text, std::string_view before, std::string_view after) {
  std::string out;
  for (const char c : text)
    out += fmt::format("{}{:02x}{}", before, static_cast<unsigned char>(c), after);
  return out;
}

std::string rotated(Text text, int by) {
  std::string out = text;
  for (char& c : out)
    if (is_latin(c)) {
      const char a = lower_case(c) == c ? 'a' : 'A';
      c = static_cast<char>(a + (c - a + by) % 26);
    }
  return out;
}

}  // namespace

// Alone, or somewhere in a longer text, where its bytes fall on other borders.
std::string in_base64(Text text, Dice& dice) {
  constexpr std::string_view kBefore[] = {"", "It is ", "by ", "See "};
  const std::string whole = std::string(dice.any(kBefore)) + text + (dice.one_in(2) ? "" : ".");
  return dice.one_in(3) ? base64(whole, "-_", false) : base64(whole, "+/", true);
}

std::string in_hex(Text text, Dice& dice) {
  switch (dice.below(4)) {
    case 0:
      return hex(text, "", "");
    case 1:
      return hex(text, "", " ");
    case 2:
      return hex(text, "\\x", "");
    default:
      return hex(text, "0x", ", ");
  }
}

std::string percent(Text text, Dice& dice) {
  std::string out;
  const size_t some = dice.below(2);
  for (const char c : text)
    out += some == 1 && is_latin(c) && dice.one_in(2)
               ? std::string(1, c)
               : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return out;
}

std::string reversed(Text text, Dice&) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t size = std::max<size_t>(base::char_at(text, at).size, 1);
    out.insert(0, text, at, size);
    at += size;
  }
  return out;
}

std::string rot13(Text text, Dice&) { return rotated(text, 13); }

std::string other_rotation(Text text, Dice& dice) {
  return rotated(text, static_cast<int>(dice.one_in(2) ? 1 + dice.below(12) : 14 + dice.below(12)));
}

std::string twice_encoded(Text text, Dice& dice) {
  return dice.one_in(2) ? base64(base64(text, "+/", true), "+/", true)
                        : base64(rotated(text, 13), "+/", true);
}

std::string numbered(Text text, Dice&) {
  std::string out;
  size_t n = 0;
  for (const char c : text)
    if (is_latin(c)) out += fmt::format("{}. {}\n", ++n, c);
  return out;
}

std::string spelled(Text text, Dice&) {
  constexpr std::string_view kWords[] = {
      "Alfa",    "Bravo", "Charlie", "Delta",  "Echo",     "Foxtrot", "Golf",   "Hotel",  "India",
      "Juliett", "Kilo",  "Lima",    "Mike",   "November", "Oscar",   "Papa",   "Quebec", "Romeo",
      "Sierra",  "Tango", "Uniform", "Victor", "Whiskey",  "Xray",    "Yankee", "Zulu"};
  std::string out;
  for (const char c : text)
    if (is_latin(c)) out += std::string(kWords[lower_case(c) - 'a']) + " ";
  return out;
}

std::string morse(Text text, Dice&) {
  constexpr std::string_view kSigns[] = {".-",   "-...", "-.-.", "-..",  ".",    "..-.", "--.",
                                         "....", "..",   ".---", "-.-",  ".-..", "--",   "-.",
                                         "---",  ".--.", "--.-", ".-.",  "...",  "-",    "..-",
                                         "...-", ".--",  "-..-", "-.--", "--.."};
  std::string out;
  for (const char c : text)
    out += is_latin(c) ? std::string(kSigns[lower_case(c) - 'a']) + " " : c == ' ' ? "/ " : "";
  return out;
}

std::string no_vowels(Text text, Dice&) {
  std::string out;
  for (const char c : text)
    if (std::string_view("aeiou").find(lower_case(c)) == std::string_view::npos) out += c;
  return out;
}

std::string encode(std::string_view how, const std::string& text) {
  Dice dice(0);
  if (how == "base64") return base64(text, "+/", true);
  if (how == "hex") return hex(text, "", "");
  if (how == "percent") return hex(text, "%", "");
  return how == "rot13" ? rot13(text, dice) : reversed(text, dice);
}

}  // namespace expunge::server
