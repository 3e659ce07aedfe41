#include "guard/fold.h"

#include <array>
#include <charconv>
#include <memory>

#include "base/utf8.h"
#include "tables/guard_fold.inc"

namespace expunge::guard {
namespace {

// How a character is read: nothing, invisible, itself, one letter, or letters of the pool.
struct Reading {
  enum What : uint8_t { kSeparator, kInvisible, kItself, kOne, kSeveral } what = kSeparator;
  uint8_t size = 0;
  char32_t value = 0;  // the letter, or where in the pool
};

using Page = std::array<Reading, 256>;

struct Table {
  std::array<std::unique_ptr<Page>, 0x1100> pages = {};
  std::u32string pool = {};

  Reading& at(char32_t c) {
    std::unique_ptr<Page>& page = pages[c >> 8];
    if (!page) page = std::make_unique<Page>();
    return (*page)[c & 0xFF];
  }
};

char32_t read_hex(const char*& at, const char* end) {
  uint32_t value = 0;
  at = std::from_chars(at, end, value, 16).ptr;
  return value;
}

// Letters that the table gives as signs or capitals of ASCII keep to what ASCII itself is read as.
void read_row(const char* at, const char* end, Table* table) {
  const char32_t first = read_hex(at, end);
  const char32_t count = read_hex(++at, end);
  ++at;
  if (*at == '=' || *at == '-') {
    const Reading reading{*at == '=' ? Reading::kItself : Reading::kInvisible};
    for (char32_t i = 0; i < count; ++i) table->at(first + i) = reading;
    return;
  }
  std::u32string letters(1, read_hex(at, end));
  while (at != end && *at == ',') letters += read_hex(++at, end);
  for (char32_t i = 0; i < count; ++i) {
    Reading& reading = table->at(first + i);
    reading = {Reading::kOne, 1, letters[0] + i};
    if (letters.size() == 1) continue;
    reading = {Reading::kSeveral, static_cast<uint8_t>(letters.size()),
               static_cast<char32_t>(table->pool.size())};
    table->pool += letters;
  }
}

Table make() {
  Table table;
  const std::string_view rows = kFoldTable;
  for (size_t at = 0; at < rows.size();) {
    const size_t end = std::min(rows.find('\n', at), rows.size());
    if (end > at) read_row(rows.data() + at, rows.data() + end, &table);
    at = end + 1;
  }
  for (char32_t c = 0xAC00; c <= 0xD7A3; ++c) table.at(c) = {Reading::kSeveral};
  return table;
}

const Table& table() {
  static const Table kTable = make();
  return kTable;
}

Kind kind_of(char32_t c) {
  if (c >= '0' && c <= '9') return Kind::kDigit;
  if (c == '@' || c == '$') return Kind::kSign;
  if (c < 128) return (c >= 'a' && c <= 'z') ? Kind::kLetter : Kind::kMark;
  return Kind::kLetter;
}

class Folding {
 public:
  explicit Folding(std::string_view text) : text_(text) { units_.reserve(text.size()); }

  std::vector<Unit> run() && {
    for (size_t at = 0; at < text_.size();) {
      const auto byte = static_cast<unsigned char>(text_[at]);
      if (byte < 128) {
        ascii(byte, at++);
        continue;
      }
      const base::Char c = base::char_at(text_, at);
      if (c.size == 0)
        gap_ = gap_ | Gap::kPunctuation;
      else
        other(c.code, at, at + c.size);
      at += c.size ? c.size : 1;
    }
    return std::move(units_);
  }

 private:
  void ascii(unsigned char c, size_t at) {
    const bool is_upper = c >= 'A' && c <= 'Z';
    if (is_upper) c |= 0x20;
    if ((c >= 'a' && c <= 'z') || !stands_for(c).empty())
      add({.letter = c,
           .begin = uint32_t(at),
           .end = uint32_t(at + 1),
           .kind = kind_of(c),
           .is_upper = is_upper});
    else if (c == ' ' || (c >= '\t' && c <= '\r'))
      gap_ = gap_ | Gap::kBlank;
    else if (c != 0 && c != 8 && c != 0x7F)  // a backspace or NUL shows nothing
      gap_ = gap_ | Gap::kPunctuation;
  }

  void one(char32_t letter, size_t begin, size_t end) {
    if (letter < 128 && (letter < 'a' || letter > 'z') && stands_for(letter).empty()) {
      gap_ = gap_ | Gap::kPunctuation;
      return;
    }
    const Kind kind = letter < 128 ? kind_of(letter) : Kind::kLetter;
    add({.letter = letter,
         .begin = uint32_t(begin),
         .end = uint32_t(end),
         .kind = kind,
         .is_ascii = false});
  }

  void other(char32_t c, size_t begin, size_t end) {
    if (c >= 0xAC00 && c <= 0xD7A3) {  // Hangul: as it decomposes
      const char32_t index = c - 0xAC00;
      one(0x1100 + index / 588, begin, end);
      one(0x1161 + index % 588 / 28, begin, end);
      if (index % 28) one(0x11A7 + index % 28, begin, end);
      return;
    }
    const Table& read = table();
    const auto& page = read.pages[c >> 8];
    const Reading reading = page ? (*page)[c & 0xFF] : Reading();
    if (reading.what == Reading::kInvisible) return;
    if (reading.what == Reading::kOne) return one(reading.value, begin, end);
    if (reading.what == Reading::kItself) return one(c, begin, end);
    if (reading.what == Reading::kSeveral) {
      for (size_t i = 0; i < reading.size; ++i) one(read.pool[reading.value + i], begin, end);
      return;
    }
    if (!stands_for(c).empty())  // a symbol, such as a currency's
      add({.letter = c,
           .begin = uint32_t(begin),
           .end = uint32_t(end),
           .kind = Kind::kSign,
           .is_ascii = false});
    else if ((c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0xA0 ||
             c == 0x202F || c == 0x205F || c == 0x3000)
      gap_ = gap_ | Gap::kBlank;
    else
      gap_ = gap_ | Gap::kPunctuation;
  }

  void add(Unit unit) {
    unit.gap = gap_;
    gap_ = Gap::kNone;
    units_.push_back(unit);
  }

  std::string_view text_;
  std::vector<Unit> units_;
  Gap gap_ = Gap::kNone;
};

}  // namespace

std::vector<Unit> fold(std::string_view text) { return Folding(text).run(); }

std::u32string fold_letters(std::string_view text) {
  std::u32string out;
  for (const Unit& unit : fold(text))
    if (unit.kind == Kind::kLetter || unit.kind == Kind::kDigit) out += unit.letter;
  return out;
}

}  // namespace expunge::guard
