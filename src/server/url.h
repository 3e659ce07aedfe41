// The escapes of a request's target, and the fields of its query.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace expunge::server {

// Nothing for a broken escape or an escaped zero byte.
std::optional<std::string> url_decoded(std::string_view text);
// name=value&…; of a repeated name the last.
std::optional<std::map<std::string, std::string>> parse_query(std::string_view text);

}  // namespace expunge::server
