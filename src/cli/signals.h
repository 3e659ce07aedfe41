// Ctrl+C asks the running computation to stop; the second time the process ends.
#pragma once

#include <string>

namespace expunge::cli {

void handle_signals();
// The folder, of plain files, that a signal which ends the process takes along; "" = none.
void remove_on_signal(const std::string& folder);

}  // namespace expunge::cli
