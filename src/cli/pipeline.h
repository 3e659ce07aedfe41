// The program: from argv to an exit status.
#pragma once

namespace expunge::cli {

int run(int argc, char** argv);

}  // namespace expunge::cli
