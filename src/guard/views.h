// Other readings of a text: what its escapes, encodings, codes and signs stand for. Each takes time
// and space linear in the text and gives nothing when there is nothing of its kind.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace expunge::guard {

struct View {
  struct Span {
    uint32_t begin, end;
  };
  std::string text = {};
  std::vector<Span> spans = {};  // of each byte, in the text that was scanned; none: itself
  std::string_view disguise = {};

  Span span(size_t first, size_t end) const {  // not empty
    if (spans.empty()) return {uint32_t(first), uint32_t(end)};
    return {spans[first].begin, spans[end - 1].end};
  }
  void add(std::string_view bytes, Span from) {
    text += bytes;
    spans.insert(spans.end(), bytes.size(), from);
  }
  // A part of another view as it is.
  void copy(const View& other, size_t first, size_t end) {
    text.append(other.text, first, end - first);
    for (size_t i = first; i < end; ++i) spans.push_back(other.span(i, i + 1));
  }
};

// A copy with parts replaced that leaves out what is far from them: that was read already.
class Patch {
 public:
  explicit Patch(const View& in, std::string_view disguise) : in_(in), out_{.disguise = disguise} {}
  void replace(size_t first, size_t end, std::string_view means);
  std::optional<View> take() &&;  // nothing if nothing was replaced

 private:
  const View& in_;
  View out_;
  size_t copied_ = 0;  // of `in_`, read so far
  bool any_ = false;
};

using Reader = std::optional<View> (*)(const View&);
std::optional<View> read_escapes(const View& in);  // percent, entities, \x42, quoted-printable
std::optional<View> read_markup(const View& in);   // without tags, commands and terminal codes
std::optional<View> read_base64(const View& in);   // and base32
std::optional<View> read_base85(const View& in);
std::optional<View> read_hex(const View& in);      // runs of digits: hexadecimal, binary, decimal
std::optional<View> read_numbers(const View& in);  // "66 97 115", "2-1-19", "0b1000010"
std::optional<View> read_morse(const View& in);
std::optional<View> read_drawn(const View& in);   // |\/| for M
std::optional<View> read_joined(const View& in);  // rn for m, and what else is drawn alike
std::optional<View> read_rot47(const View& in);
std::optional<View> read_keys_left(const View& in);  // the keys left of those that were pressed
std::optional<View> read_keys_right(const View& in);
std::optional<View> read_backwards(const View& in);  // of texts with encoded words

// Words of letters and digits that prose does not have: capitals inside, digits among letters.
size_t count_odd(std::string_view text);
// Appends the parts of decoded bytes that could be text, each on a line of its own; whether any.
bool add_text(std::string_view bytes, std::span<const View::Span> from, View* out);
std::string utf8(char32_t c);

}  // namespace expunge::guard
