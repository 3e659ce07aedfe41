// JSON from outside becomes a Result; keys keep their order.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.h"

namespace expunge::base {

using Json = nlohmann::ordered_json;

// Strict JSON in UTF-8. `what` names the source in the error ("plan", a file name).
Result<Json> parse_json(std::string_view text, std::string_view what);
Result<Json> read_json(const std::string& path);
// One JSON value a line; empty lines are skipped; errors name the line.
Result<std::vector<Json>> read_jsonl(const std::string& path);
// JSON text of a value; bytes that are not UTF-8 become U+FFFD. indent < 0: one line.
std::string dump_json(const Json& value, int indent = -1);

}  // namespace expunge::base
