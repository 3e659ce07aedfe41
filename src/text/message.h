// One turn of a conversation.
#pragma once

#include <string>

namespace expunge::text {

struct Message {
  std::string role;  // "system", "user" or "assistant"
  std::string content;
};

}  // namespace expunge::text
