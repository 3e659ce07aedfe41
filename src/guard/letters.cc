// Which characters stand for which letters, although they are others.
#include <array>
#include <unordered_map>

#include "base/utf8.h"
#include "guard/fold.h"

namespace expunge::guard {
namespace {

struct Stand {
  char32_t c;
  std::string_view letters;
};
constexpr Stand kStands[] = {
    {'0', "o"},   {'1', "ilj"}, {'2', "z"},  {'3', "e"},   {'4', "a"},   {'5', "s"},  {'6', "gb"},
    {'7', "t"},   {'8', "b"},   {'9', "gq"}, {'@', "a"},   {'$', "s"},   {U'€', "e"}, {U'£', "l"},
    {U'¥', "y"},  {U'¢', "c"},  {U'©', "c"}, {U'®', "r"},  {U'†', "t"},  {U'‡', "t"}, {U'¡', "i"},
    {U'×', "x"},  {U'∆', "a"},  {U'△', "a"}, {U'∂', "d"},  {U'§', "s"},  {U'∫', "s"}, {U'°', "o"},
    {U'∑', "e"},  {U'∏', "n"},  {U'∩', "n"}, {U'∪', "u"},  {U'∨', "v"},  {U'∧', "a"}, {U'⊂', "c"},
    {U'∈', "e"},  {U'√', "v"},  {U'∀', "a"}, {U'∃', "e"},  {U'⊥', "t"},  {U'⊤', "t"}, {U'⭐', "o"},
    {U'☆', "a"},  {U'★', "a"},  {U'♥', "o"}, {U'○', "o"},  {U'●', "o"},  {U'◯', "o"}, {U'⭕', "o"},
    {U'❌', "x"}, {U'✖', "x"},  {U'✝', "t"}, {U'λ', "a"},  {U'Λ', "a"},  {U'Δ', "a"}, {U'Σ', "e"},
    {U'Π', "n"},  {U'Ω', "o"},  {U'Φ', "o"}, {U'φ', "o"},  {U'Θ', "o"},  {U'θ', "o"}, {U'ξ', "e"},
    {U'Ξ', "e"},  {U'Г', "r"},  {U'Ч', "y"}, {U'л', "nl"}, {U'Л', "nl"}, {U'ф', "o"}, {U'ж', "x"},
    {U'!', "il"}, {U'|', "il"}, {U'+', "t"}, {U'(', "c"},  {U'<', "c"},  {U'[', "c"}, {U'^', "a"},
    {U'#', "h"},  {U'?', "p"},  {U'/', "i"}, {U'\\', "i"}, {U'*', "a"},  {U'&', "e"}, {U'%', "x"},
    {U'{', "c"},  {U'}', "j"},  {U']', "j"}, {U'>', "d"},  {U')', "d"},  {U':', "i"}, {U';', "i"}};
// Alphabets that programs for ornate writing offer, from a to z.
constexpr std::string_view kDrawn[] = {"卂乃匚ᗪ乇千Ꮆ卄丨ﾌҜㄥ爪几ㄖ卩Ɋ尺丂ㄒㄩᐯ山乂ㄚ乙",
                                       "ᗩᗷᑕᗪEᖴGᕼIᒍKᒪᗰᑎOᑭᑫᖇᔕTᑌᐯᗯ᙭Yᘔ",
                                       "₳฿₵ĐɆ₣₲ⱧłJ₭Ⱡ₥₦Ø₱QⱤ₴₮ɄV₩ӾɎⱫ",
                                       "ąც↻ժεʄɠɧıʝҟӀɱղơ℘զཞʂɬų۷ῳҳყʑ",
                                       "ค๒ς๔єŦﻮђเןкɭ๓ภ๏קợгรtยשฬאץz",
                                       "ꍏꌃꉓꀸꍟꎇꁅꃅꀤꀭꀘ꒒ꂵꈤꂦꉣꆰꋪꌗ꓄ꀎꃴꅏꊼꌩꁴ",
                                       "ꋬꃳꉔ꒯ꏂꊰꍌꁝ꒐꒻ꀘ꒒ꂵꋊꄲꉣꆰꋪꇙ꓄꒤꒦ꅐꉧꌦꁴ",
                                       "ልጌርዕቿቻኗዘጎጋጕረጠክዐየዒዪነፕሁሀሠሸሃጊ"};

struct Table {
  std::array<std::string_view, 128> ascii = {};
  std::unordered_map<char32_t, std::string> others = {};
};

Table make() {
  Table table;
  for (const auto& [c, letters] : kStands) {
    if (c < 128)
      table.ascii[c] = letters;
    else
      table.others[c] = letters;
  }
  for (const std::string_view drawn : kDrawn) {
    char letter = 'a';
    for (size_t at = 0; at < drawn.size() && letter <= 'z'; ++letter) {
      const base::Char c = base::char_at(drawn, at);
      if (c.code >= 128) table.others.emplace(c.code, std::string(1, letter));
      at += c.size ? c.size : 1;
    }
  }
  return table;
}

const Table& table() {
  static const Table kTable = make();
  return kTable;
}

char32_t coarse_letter(char32_t c) {
  switch (c) {
    case 'l':
    case 'j':
      return 'i';
    case 'q':
    case 'b':
      return 'g';
    default:
      return c;
  }
}

constexpr std::array<char32_t, 128> kCoarse = [] {
  std::array<char32_t, 128> out{};
  for (char32_t c = 0; c < 128; ++c) out[c] = c;
  for (const auto& [c, letters] : kStands)
    if (c < 128) out[c] = static_cast<unsigned char>(letters[0]);
  out['l'] = out['j'] = 'i';
  out['q'] = out['b'] = out['8'] = 'g';
  out['}'] = out[']'] = 'i';
  return out;
}();

}  // namespace

std::string_view stands_for(char32_t c) {
  if (c < 128) return table().ascii[c];
  const auto found = table().others.find(c);
  return found == table().others.end() ? std::string_view() : std::string_view(found->second);
}

char32_t coarse(char32_t c) {
  if (c < 128) return kCoarse[c];
  const std::string_view letters = stands_for(c);
  return letters.empty() ? c : coarse_letter(static_cast<unsigned char>(letters[0]));
}

bool may_be(const Unit& unit, char32_t letter) {
  if (unit.letter == letter) return true;
  // A capital I is drawn like an l; so are most look-alikes of either.
  if (letter == 'l' && unit.letter == 'i') return unit.is_upper || !unit.is_ascii;
  if (letter == 'i' && unit.letter == 'l') return !unit.is_ascii;
  if (letter >= 128) return false;
  return stands_for(unit.letter).find(static_cast<char>(letter)) != std::string_view::npos;
}

bool is_unspaced(char32_t c) {
  return (c >= 0x0E00 && c < 0x0F00) || (c >= 0x1000 && c < 0x1100) || c >= 0x2E80 ||
         (c >= 0x1780 && c < 0x1800);
}

}  // namespace expunge::guard
