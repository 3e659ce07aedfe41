// The program: from argv to an exit status.
#pragma once

namespace expunge::app {

int run(int argc, char** argv);

}  // namespace expunge::app
