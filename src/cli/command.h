// What a command is: one file in commands/ that defines `extern const Command command_<name>`.
//
// `declare` adds the command's arguments to its parser and returns what runs once they are read.
// The answer's JSON is printed with --json; otherwise the command prints through the terminal.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "cli/arguments.h"
#include "cli/terminal.h"
#include "tensor/activations.h"
#include "tensor/process_group.h"

namespace expunge::cli {

// Options that every command takes.
struct Globals {
  std::string model, journal, device = "cpu";
  int threads = 0;
  tensor::Activations activations = tensor::Activations::kFloat;
  bool json = false, quiet = false;
};

struct Context {
  base::Job job;  // reports to the terminal; cancelled by Ctrl+C
  Globals globals = {};
  Terminal terminal{job};
  std::unique_ptr<tensor::ProcessGroup> group = nullptr;  // see join_group()
};

struct Answer {
  base::Json json = base::Json::object();
  int exit_status = 0;
};
using Action = std::function<base::Result<Answer>(Context&)>;

// Which journal a command works on: the one that --journal names, or a temporary one.
enum class JournalUse { kNamed, kOwn };

struct Command {
  std::string_view name;
  std::string_view help;      // one line
  std::string_view examples;  // shown below the command's own help
  Action (*declare)(Arguments& cli);
  JournalUse journal = JournalUse::kNamed;
};

}  // namespace expunge::cli
