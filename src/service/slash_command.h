// A line of the chat that begins with a slash: a command, not a message.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"

namespace expunge::service {

struct SlashCommand {
  enum class Kind { kLog, kUndo, kClear, kHelp, kQuit };
  Kind kind = Kind::kHelp;
  std::optional<int64_t> entry;  // of kUndo; nothing: the last active one
};

// /log, /undo, /undo 3, /undo entry 3, /clear, /help, /quit, /exit; blanks around words do not
// matter. Errors: kUsage with what was got and what is accepted.
base::Result<SlashCommand> parse_slash_command(std::string_view line);

}  // namespace expunge::service
