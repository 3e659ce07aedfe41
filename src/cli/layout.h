// Text in columns of a terminal: widths, cutting, wrapping. Nothing here prints.
#pragma once

#include <string>
#include <string_view>

#include "base/utf8.h"

namespace expunge::cli {

using base::check_text;
using base::is_utf8;
using base::one_line;
using base::printable;

inline constexpr size_t kColumns = 80;  // what output is laid out for

// Columns that UTF-8 text takes: 0 for combining marks and escape sequences, 2 for wide characters.
size_t columns(std::string_view text);
// Cut to `width` columns with an ellipsis; padded on the right or on the left.
std::string fit(std::string_view text, size_t width);
std::string pad(std::string_view text, size_t width);
std::string pad_left(std::string_view text, size_t width);
// Words in lines of at most `width` columns, each but the first after `indent` blanks (which
// do not count).
std::string wrap(std::string_view text, size_t width, size_t indent);
}  // namespace expunge::cli
