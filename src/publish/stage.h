// Where an export is written before it is checked, and how it takes its place.
#pragma once

#include <string>

#include "publish/publish.h"

namespace expunge::publish {

// The file of an export at `path` with the weights.
std::string weights_file(Format format, const std::string& path);

// A file or folder next to the destination; removed unless put in place.
class Stage {
 public:
  static base::Result<Stage> make(const ExportOptions& options);
  Stage(Stage&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Stage& operator=(Stage&&) = delete;
  ~Stage();
  const std::string& path() const { return path_; }
  std::string weights_file(Format format) const;
  base::Status put_in_place(const ExportOptions& options);

 private:
  explicit Stage(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

tl::unexpected<base::Error> io_error(std::string_view action, const std::string& path, int err);

}  // namespace expunge::publish
