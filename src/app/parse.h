// From argv to a command that is ready to run; CLI11's errors become ours.
#pragma once

#include <optional>
#include <span>

#include "app/command.h"

namespace expunge::app {

struct Group {
  std::string_view title;
  std::vector<const Command*> commands;
};

struct Parsed {
  Action action;
  std::optional<std::string> text;  // of --help or --version: print it and leave
};

base::Result<Parsed> parse(std::span<const Group> groups, int argc, char** argv, Globals& globals);

}  // namespace expunge::app
