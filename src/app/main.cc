#include "app/pipeline.h"

int main(int argc, char** argv) { return expunge::app::run(argc, argv); }
