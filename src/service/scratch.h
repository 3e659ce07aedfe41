// A folder with a journal removed afterwards: bench and demo work on it, never on the user's
// own. One at a time.
#pragma once

#include <string>

#include "base/error.h"

namespace expunge::service {

class Scratch {
 public:
  // Called with the folder once it is created and with "" once it is gone: signal handling
  // removes it when a signal ends the process.
  using Guard = void (*)(const std::string& folder);
  static base::Result<Scratch> make(Guard guard);
  Scratch(Scratch&& other) noexcept : folder_(std::move(other.folder_)), guard_(other.guard_) {
    other.folder_.clear();
  }
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch();
  std::string journal() const { return file("journal.db"); }
  std::string file(const std::string& name) const { return folder_ + "/" + name; }

 private:
  Scratch(std::string folder, Guard guard) : folder_(std::move(folder)), guard_(guard) {}
  std::string folder_;
  Guard guard_;
};

}  // namespace expunge::service
