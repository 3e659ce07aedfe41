// Whether a reply contains an answer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace expunge::verify {

// One of the answers occurs in the reply: up to three characters as a word, with a capital (a
// symbol) in exactly that case; longer ones anywhere, in any case.
bool reveals(std::string_view reply, const std::vector<std::string>& answers);

}  // namespace expunge::verify
