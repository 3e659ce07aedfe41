#include "base/error.h"

#include <array>

namespace expunge::base {

const CodeInfo& code_info(Code code) {
  static constexpr std::array<CodeInfo, 13> kTable = {{
      {"usage", 2, 400},
      {"invalid", 3, 400},
      {"corrupt", 4, 422},
      {"not_found", 5, 404},
      {"unsupported", 6, 501},
      {"conflict", 7, 409},
      {"refused", 8, 403},
      {"numeric", 9, 422},
      {"no_memory", 10, 507},
      {"io", 11, 500},
      {"unavailable", 12, 503},
      {"cancelled", 130, 499},
      {"internal", 70, 500},
  }};
  return kTable.at(static_cast<size_t>(code));
}

void check_failed(const char* file, int line, const char* expression, const std::string& message) {
  throw Bug(fmt::format("{}:{}: CHECK({}) failed{}{}", file, line, expression,
                        message.empty() ? "" : ": ", message));
}

}  // namespace expunge::base
