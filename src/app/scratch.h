// A journal that is gone afterwards, also after a second Ctrl+C: what bench and demo work on, never
// the user's own. One at a time.
#pragma once

#include <string>

#include "base/error.h"

namespace expunge::app {

class Scratch {
 public:
  static base::Result<Scratch> make();
  Scratch(Scratch&& other) noexcept : folder_(std::move(other.folder_)) { other.folder_.clear(); }
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch();
  std::string journal() const { return file("journal.db"); }
  std::string file(const std::string& name) const { return folder_ + "/" + name; }

 private:
  explicit Scratch(std::string folder) : folder_(std::move(folder)) {}
  std::string folder_;
};

}  // namespace expunge::app
