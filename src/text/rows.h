// Files of rows, CSV and JSON lines, each row with the line at which it begins. What a row means is
// defined in choice_set.h and sequence_set.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace expunge::text {

struct CsvRow {
  size_t line = 0;  // from 1
  std::vector<std::string> fields;
};
// RFC 4180: fields between commas, quoted ones with commas, line ends and doubled quotes inside.
// Also, as pandas reads: line ends of either kind, a byte order mark, a quote within an unquoted
// field is literal, empty lines are skipped. Errors name file and line.
base::Result<std::vector<CsvRow>> parse_csv(std::string_view text, std::string_view file);
base::Result<std::vector<CsvRow>> read_csv(const std::string& path);

struct JsonRow {
  size_t line = 0;
  base::Json json;
};
// base::read_jsonl with line numbers. Errors name file and line: a key twice in an object,
// text that is UTF-16.
base::Result<std::vector<JsonRow>> read_json_rows(const std::string& path);

}  // namespace expunge::text
