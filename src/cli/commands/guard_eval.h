// `expunge guard eval`, a part of guard.cc's command.
#pragma once

#include "cli/command.h"

namespace expunge::cli {

// Adds "eval" and its options; the action is to be run if `chosen` has become true.
Action add_guard_eval(Arguments& cli, bool& chosen);

}  // namespace expunge::cli
