// An explicit yes or no, said to an offer: the one thing that a rule reads for certain.
#pragma once

#include <optional>
#include <string_view>

namespace expunge::agent {

// True for yes, false for no; nothing for words that can mean something else.
std::optional<bool> plain_answer(std::string_view message);

}  // namespace expunge::agent
