// Whether a reply holds an answer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace expunge::verify {

// One of the answers stands in the reply: up to three characters as a word, and with a capital (a
// symbol) in that case; else anywhere in any case.
bool reveals(std::string_view reply, const std::vector<std::string>& answers);

}  // namespace expunge::verify
