// One turn of a conversation.
#pragma once

#include <string>

namespace expunge::text {

struct Message {
  std::string role;  // "system", "user", "assistant" or, if the template knows it, "tool"
  std::string content;
  std::string tool_calls = {};  // of the assistant, a JSON array; "" = none
};

}  // namespace expunge::text
