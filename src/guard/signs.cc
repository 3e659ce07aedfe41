// Letters made of signs: Morse, and those that are drawn with several characters.
#include <algorithm>
#include <unordered_map>

#include "base/utf8.h"
#include "guard/views.h"

namespace expunge::guard {
namespace {

char morse(const std::string& signs) {
  static const std::unordered_map<std::string, char> kLetters = {
      {".-", 'a'},    {"-...", 'b'},  {"-.-.", 'c'},  {"-..", 'd'},   {".", 'e'},
      {"..-.", 'f'},  {"--.", 'g'},   {"....", 'h'},  {"..", 'i'},    {".---", 'j'},
      {"-.-", 'k'},   {".-..", 'l'},  {"--", 'm'},    {"-.", 'n'},    {"---", 'o'},
      {".--.", 'p'},  {"--.-", 'q'},  {".-.", 'r'},   {"...", 's'},   {"-", 't'},
      {"..-", 'u'},   {"...-", 'v'},  {".--", 'w'},   {"-..-", 'x'},  {"-.--", 'y'},
      {"--..", 'z'},  {"-----", '0'}, {".----", '1'}, {"..---", '2'}, {"...--", '3'},
      {"....-", '4'}, {".....", '5'}, {"-....", '6'}, {"--...", '7'}, {"---..", '8'},
      {"----.", '9'}};
  const auto found = kLetters.find(signs);
  return found == kLetters.end() ? '\0' : found->second;
}

char dot_or_dash(char32_t c) {
  if (c == '.' || c == 0xB7 || c == 0x2022 || c == 0x22C5 || c == 0x2219) return '.';
  if (c == '-' || c == '_' || c == 0x2010 || c == 0x2011 || c == 0x2012 || c == 0x2013 ||
      c == 0x2014 || c == 0x2212)
    return '-';
  return '\0';
}

struct Drawing {
  std::string_view signs, letter;
};
// Longer ones first.
constexpr Drawing kDrawings[] = {
    {"\\/\\/", "w"}, {"|\\/|", "m"}, {"/\\/\\", "m"}, {"|\\|", "n"}, {"/\\/", "n"}, {"|-|", "h"},
    {"|_|", "u"},    {"|_", "l"},    {"|\\", "n"},    {"\\/", "v"},  {"/\\", "a"},  {"/-\\", "a"},
    {"|)", "d"},     {"|>", "p"},    {"|*", "p"},     {"|<", "k"},   {"|{", "k"},   {"|=", "f"},
    {"|3", "b"},     {"|2", "r"},    {"()", "o"},     {"[]", "o"},   {"{}", "o"},   {"><", "x"},
    {")(", "x"},     {"]-[", "h"},   {")-(", "h"},    {"}-{", "h"},  {"_|", "j"},   {"7_", "z"},
    {"(_)", "u"},    {"[)", "d"},    {"!3", "b"},     {"13", "b"},   {"!<", "k"},   {"1<", "k"},
    {"'/", "y"},     {"`/", "y"},    {"¥", "y"},      {"^^", "m"},   {"(V)", "m"},  {"vv", "w"},
    {"VV", "w"},     {"rn", "m"},    {"cl", "d"},     {"ph", "f"},   {"Ph", "f"},   {"PH", "f"}};

const Drawing* drawing_at(std::string_view s, bool letters) {
  const Drawing* best = nullptr;
  for (const Drawing& drawing : kDrawings) {
    const bool is_letters = (drawing.signs[0] | 0x20) >= 'a' && (drawing.signs[0] | 0x20) <= 'z';
    if (is_letters == letters && s.starts_with(drawing.signs) &&
        (!best || drawing.signs.size() > best->signs.size()))
      best = &drawing;
  }
  return best;
}

std::optional<View> draw(const View& in, bool letters) {
  Patch out(in, "drawn");
  const std::string_view text = in.text, starts = letters ? "vVrcpP" : "|/\\()[]{}><_'`^!17";
  for (size_t at = text.find_first_of(starts); at < text.size();) {
    const Drawing* const found = drawing_at(text.substr(at, 4), letters);
    const size_t size = found ? found->signs.size() : 1;
    if (found) out.replace(at, at + size, found->letter);
    at = text.find_first_of(starts, at + size);
  }
  return std::move(out).take();
}

// Before the end or another word than signs.
bool ends_sentence(std::string_view text, size_t after) {
  while (after < text.size() && std::string_view(" \"/|").find(text[after]) != text.npos) ++after;
  return after == text.size() || dot_or_dash(static_cast<unsigned char>(text[after])) == '\0';
}

// `stops`: a dot that ends a sentence is none.
size_t add_morse(const View& in, bool stops, View* result) {
  View& out = *result;
  std::string signs;
  View::Span from{};
  size_t letters = 0, blanks = 0;
  const auto end_letter = [&] {
    if (const char c = morse(signs)) {
      out.add(std::string(1, c), from);
      ++letters;
    } else if (!out.text.empty() && out.text.back() != '\n') {
      out.add("\n", out.spans.back());
    }
    signs.clear();
  };
  for (size_t at = 0; at < in.text.size();) {
    const base::Char c = base::char_at(in.text, at);
    const size_t size = c.size ? c.size : 1;
    const View::Span span = in.span(at, at + size);
    at += size;
    const bool is_stop = stops && (c.code == '.' || c.code == '-') && ends_sentence(in.text, at);
    if (const char sign = is_stop ? '\0' : dot_or_dash(c.code)) {
      from = signs.empty() ? span : View::Span{from.begin, span.end};
      signs += sign;
      blanks = 0;
      continue;
    }
    if (!signs.empty()) end_letter();
    const bool is_blank =
        c.code == ' ' || c.code == '/' || c.code == '|' || c.code == '\n' || c.code == ',';
    if ((!is_blank || ++blanks > 8) && !out.text.empty() && out.text.back() != '\n')
      out.add("\n", out.spans.back());
  }
  if (!signs.empty()) end_letter();
  if (!out.text.empty()) out.add("\n", out.spans.back());
  return letters;
}

}  // namespace

std::optional<View> read_morse(const View& in) {
  View out{.disguise = "morse"};
  if (add_morse(in, false, &out) < 3) return std::nullopt;
  add_morse(in, true, &out);
  return out;
}

std::optional<View> read_drawn(const View& in) { return draw(in, false); }

std::optional<View> read_joined(const View& in) { return draw(in, true); }

}  // namespace expunge::guard
