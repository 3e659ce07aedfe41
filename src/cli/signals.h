// Ctrl+C asks the running computation to stop; the second time the process ends.
#pragma once

#include <string>

#include "base/job.h"

namespace expunge::cli {

void handle_signals();
// The work in the foreground, which Ctrl+C and SIGTERM cancel.
const base::Job& foreground_job();
// The folder, of plain files, that a signal which ends the process takes along; "" = none.
void remove_on_signal(const std::string& folder);

}  // namespace expunge::cli
