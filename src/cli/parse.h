// From argv to a command that is ready to run; CLI11's errors become ours.
#pragma once

#include <optional>
#include <span>

#include "cli/command.h"

namespace expunge::cli {

struct CommandGroup {
  std::string_view title;
  std::vector<const Command*> commands;
};

struct Parsed {
  Action action;
  std::optional<std::string> text;  // of --help or --version: print it and leave
};

base::Result<Parsed> parse(std::span<const CommandGroup> groups, int argc, char** argv,
                           Globals& globals);

}  // namespace expunge::cli
