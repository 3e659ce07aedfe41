#include "app/scratch.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "app/signals.h"

namespace expunge::app {

namespace fs = std::filesystem;

base::Result<Scratch> Scratch::make() {
  std::error_code ec;
  const fs::path tmp = fs::temp_directory_path(ec);
  std::string name = ((ec ? fs::path("/tmp") : tmp) / "expunge-XXXXXX").string();
  if (!mkdtemp(name.data()))
    return base::fail(base::Code::kIo,
                      fmt::format("cannot make a folder like '{}': {}", name, std::strerror(errno)),
                      "set TMPDIR to a folder that can be written");
  remove_on_signal(name);
  return Scratch(name);
}

Scratch::~Scratch() {
  std::error_code ec;
  if (folder_.empty()) return;
  fs::remove_all(folder_, ec);
  remove_on_signal("");
}

}  // namespace expunge::app
