// JSON in which no object has the same key twice. A parser silently takes the last one, so
// that whoever wrote the file and whoever reads it see different data.
#pragma once

#include <string_view>

#include "base/error.h"

namespace expunge::base {

// kInvalid names the key. Text that is not JSON passes: parse_json() reports what is wrong.
Status check_unique_keys(std::string_view text, std::string_view what);

}  // namespace expunge::base
