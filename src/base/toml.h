// The part of TOML (toml.io, v1.0.0) that settings need: keys with texts, numbers, truth values or
// lists of them, in tables. The rest of TOML (dates, tables within lists, dotted keys, texts of
// several lines) is refused by name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace expunge::base {

struct TomlScalar {
  enum class Type { kText, kNumber, kTruth };
  Type type = Type::kText;
  std::string text;  // a number or truth value as it is written
  double number = 0;
  bool truth = false;
};
struct TomlValue {
  std::string key;
  size_t line = 0;  // from 1
  bool is_list = false;
  std::vector<TomlScalar> values;  // one, if it is not a list
};
struct TomlTable {
  std::string name;  // "" before the first one; "a.b" as it is written
  size_t line = 0;
  std::vector<TomlValue> values;
};

// Tables in order; the first has the keys before any table. kInvalid names source and line: a
// key or a table given twice is one of the errors.
Result<std::vector<TomlTable>> parse_toml(std::string_view text, std::string_view what);

}  // namespace expunge::base
