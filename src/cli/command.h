// What a command is: one file in commands/ that defines `extern const Command command_<name>`.
//
// `declare` adds the command's arguments to its parser and returns what runs once they are read.
// The answer's JSON is printed with --json; otherwise the command prints through the terminal.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "cli/arguments.h"
#include "cli/terminal.h"
#include "tensor/activations.h"
#include "tensor/process_group.h"

namespace expunge::cli {

// Options that commands share. Every command takes --json and --quiet, and of these those that it
// declares; the others are refused.
enum class Common : uint8_t { kModel, kJournal, kThreads, kActivations };
class CommonSet {
 public:
  constexpr CommonSet(std::initializer_list<Common> members) {
    for (const Common c : members) bits_ |= 1U << static_cast<unsigned>(c);
  }
  constexpr bool has(Common c) const { return ((bits_ >> static_cast<unsigned>(c)) & 1U) != 0; }

 private:
  unsigned bits_ = 0;
};
inline constexpr CommonSet kNoCommon = {};
inline constexpr CommonSet kAllCommon = {Common::kModel, Common::kJournal, Common::kThreads,
                                         Common::kActivations};
inline constexpr CommonSet kAllButJournal = {Common::kModel, Common::kThreads,
                                             Common::kActivations};

struct Globals {
  std::string model, journal;
  int threads = 0;
  tensor::Activations activations = tensor::Activations::kFloat;
  bool json = false, quiet = false;
  // What was given on the command line, the command's own too: options by their long names
  // ("--model"), arguments by theirs ("model").
  std::vector<std::string> names = {};
  bool given(std::string_view name) const { return std::ranges::find(names, name) != names.end(); }
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

struct Command {
  std::string_view name;
  std::string_view help;      // one line
  std::string_view examples;  // shown below the command's own help
  Action (*declare)(Arguments& cli);
  CommonSet common = kAllCommon;
};

}  // namespace expunge::cli
