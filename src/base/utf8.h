// UTF-8 text from outside: is it well formed, and what of it may be shown to a person?
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace expunge::base {

struct Char {
  char32_t code = 0;
  size_t size = 0;  // bytes; 0: not UTF-8
};
// The character that begins at byte `at`. Strict: no overlong forms, surrogates or code points
// past U+10FFFF.
Char char_at(std::string_view s, size_t at);

bool is_utf8(std::string_view text);
// kInvalid if it is empty (only blanks) or not UTF-8; `what` names it.
Status check_text(std::string_view text, std::string_view what);

// Text from a model or a file may contain control characters that a terminal obeys: they are
// removed. Bytes that are not UTF-8 become U+FFFD.
std::string printable(std::string_view text);
// The text as one line: line breaks become blanks.
std::string one_line(std::string_view text);

}  // namespace expunge::base
