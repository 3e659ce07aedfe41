#include "service/scratch.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace expunge::service {

namespace fs = std::filesystem;

base::Result<Scratch> Scratch::make(Guard guard) {
  std::error_code ec;
  const fs::path tmp = fs::temp_directory_path(ec);
  std::string name = ((ec ? fs::path("/tmp") : tmp) / "expunge-XXXXXX").string();
  if (!mkdtemp(name.data()))
    return base::fail(base::Code::kIo,
                      fmt::format("cannot make a folder like '{}': {}", name, std::strerror(errno)),
                      "set TMPDIR to a folder that can be written");
  guard(name);
  return Scratch(name, guard);
}

Scratch::~Scratch() {
  std::error_code ec;
  if (folder_.empty()) return;
  fs::remove_all(folder_, ec);
  guard_("");
}

}  // namespace expunge::service
