// Does a reply say that the model does not know or will not tell?
#pragma once

#include <string_view>

namespace expunge::verify {

// By set phrases in English: "I don't know", "I'm sorry", "not sure". Time linear in the reply.
bool is_refusal(std::string_view reply);

}  // namespace expunge::verify
