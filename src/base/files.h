// Files: whole reads, atomic durable writes, read-only memory maps, the cache folder.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace expunge::base {

Result<std::string> read_file(const std::string& path);
// Writes beside `path`, fsyncs, renames over it, fsyncs the folder: a reader sees the old bytes or
// the new ones, never a part, even after kill -9 or a power cut.
Status write_file_atomic(const std::string& path, std::string_view bytes);
Status write_file_atomic(const std::string& path, std::span<const std::string_view> parts);
Status make_dirs(const std::string& path);

// $EXPUNGE_CACHE, else $XDG_CACHE_HOME/expunge, else ~/.cache/expunge. Created on demand.
Result<std::string> cache_dir();
// $EXPUNGE_HOME, else $XDG_DATA_HOME/expunge, else ~/.local/share/expunge. Not created.
Result<std::string> data_dir();

// A read-only map of a whole file. The bytes live as long as the object.
class MappedFile {
 public:
  static Result<std::shared_ptr<const MappedFile>> open(const std::string& path);
  // The bytes in a file of `folder` that has no name: memory which the system can take back to
  // disk, gone with the object. Errors: kIo, e.g. where the disk is full.
  static Result<std::shared_ptr<const MappedFile>> nameless(const std::string& folder,
                                                            std::string_view bytes);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }
  // Gives the pages back that were read so far; they are read again when they are needed.
  void release() const;

 private:
  MappedFile(std::string path, const std::byte* data, size_t size)
      : path_(std::move(path)), data_(data), size_(size) {}
  static Result<std::shared_ptr<const MappedFile>> map(int fd, const std::string& path,
                                                       size_t size);
  std::string path_;
  const std::byte* data_;
  size_t size_;
};

}  // namespace expunge::base
