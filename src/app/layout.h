// Text in columns of a terminal: widths, cutting, wrapping. Nothing here prints.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace expunge::app {

inline constexpr size_t kColumns = 80;  // what output is laid out for

// Columns that UTF-8 text takes: 0 for combining marks and escape sequences, 2 for wide characters.
size_t columns(std::string_view text);
// Cut to `width` columns with an ellipsis; padded on the right or on the left.
std::string fit(std::string_view text, size_t width);
std::string pad(std::string_view text, size_t width);
std::string pad_left(std::string_view text, size_t width);
// Words in lines of at most `width` columns, each after the first behind `indent` blanks (which
// do not count).
std::string wrap(std::string_view text, size_t width, size_t indent);
// One line of it: line breaks become blanks.
std::string one_line(std::string_view text);
// What a model or a file says may hold control characters that a terminal obeys: they are taken
// out.
std::string printable(std::string_view text);

bool is_utf8(std::string_view text);
// kInvalid if it is empty (only blanks) or not UTF-8; `what` names it.
base::Status check_text(std::string_view text, std::string_view what);

}  // namespace expunge::app
