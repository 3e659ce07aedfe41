// This program's version; CMakeLists.txt names the same.
#pragma once

#include <string_view>

namespace expunge::base {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace expunge::base
