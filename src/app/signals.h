// Ctrl+C asks the running computation to stop; the second time the process ends.
#pragma once

namespace expunge::app {

void handle_signals();

}  // namespace expunge::app
