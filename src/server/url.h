// The escapes of a request's target.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace expunge::server {

// Nothing for a broken escape or an escaped zero byte.
std::optional<std::string> url_decoded(std::string_view text);

}  // namespace expunge::server
