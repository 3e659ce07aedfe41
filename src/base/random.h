// Text that nobody can guess.
#pragma once

#include <cstddef>
#include <string>

namespace expunge::base {

// Characters of the URL-safe alphabet, from OpenSSL's generator: 6 bits each.
std::string random_text(size_t n_characters);

}  // namespace expunge::base
