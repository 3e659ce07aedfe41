#include "cli/pipeline.h"

int main(int argc, char** argv) { return expunge::cli::run(argc, argv); }
