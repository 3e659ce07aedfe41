// The engine's figures without the rest of the program: engine_bench [MODEL] [REPEATS].
#include <fmt/core.h>

#include <cstdlib>

#include "service/bench_engine.h"

int main(int argc, char** argv) {
  expunge::tensor::start();
  const auto chat_model = expunge::model::load_chat_model(argc > 1 ? argv[1] : "");
  expunge::service::BenchEngineOptions options;
  if (argc > 2) options.repeats = std::atoi(argv[2]);
  const auto figures =
      chat_model ? expunge::service::bench_engine(*chat_model, options)
                 : expunge::base::Result<expunge::base::Json>(tl::unexpected(chat_model.error()));
  if (!figures) {
    fmt::print(stderr, "{}\n", figures.error().message);
    return 1;
  }
  fmt::print("{}\n", figures->dump(2));
}
