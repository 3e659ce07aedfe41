// What no request may forget, from any author: everything, or what keeps the model safe.
#pragma once

#include <string_view>

#include "base/error.h"

namespace expunge::agent {

// kRefused if the words ask to forget everything, or to shed refusals and safety training. English,
// German, Spanish, French, Chinese. Time linear in the words.
base::Status check_authority(std::string_view words);

}  // namespace expunge::agent
