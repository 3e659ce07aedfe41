// Ctrl+C asks the running computation to stop; the second time the process ends.
#pragma once

#include <string>

#include "base/job.h"

namespace expunge::cli {

// From now on SIGINT and SIGTERM cancel the job.
void handle_signals(const base::Job& job);
// The job is not cancelled any more: between two messages of a chat.
void rearm(const base::Job& job);
// The folder, of plain files, that a signal which ends the process takes along; "" = none.
void remove_on_signal(const std::string& folder);

}  // namespace expunge::cli
