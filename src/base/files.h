// Files: whole reads, atomic durable writes, reserved space, read-only memory maps, user folders.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace expunge::base {

Result<std::string> read_file(const std::string& path);
// Who may read a written file: everyone the umask allows, or the owner alone (0600), for a file
// that contains words to be forgotten.
enum class Access { kShared, kSecret };
// Writes next to `path`, fsyncs, renames over it, fsyncs the folder: a reader sees the old bytes or
// the new ones, never a part, even after kill -9 or a power cut.
Status write_file_atomic(const std::string& path, std::string_view bytes,
                         Access access = Access::kShared);
Status write_file_atomic(const std::string& path, std::span<const std::string_view> parts,
                         Access access = Access::kShared);
Status make_dirs(const std::string& path);

// $EXPUNGE_CACHE, else $XDG_CACHE_HOME/expunge, else ~/.cache/expunge. Created on demand.
Result<std::string> cache_dir();
// $EXPUNGE_HOME, else $XDG_DATA_HOME/expunge, else ~/.local/share/expunge. Not created.
Result<std::string> data_dir();

// Disk space reserved for a later write, in a file without a name: it is freed when the object
// ends, and by the system after kill -9.
class HeldSpace {
 public:
  HeldSpace() = default;  // none
  // kIo if the folder's file system has less, saying how much is needed and how much is free.
  static Result<HeldSpace> hold(const std::string& folder, uint64_t bytes);
  HeldSpace(HeldSpace&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  HeldSpace& operator=(HeldSpace&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~HeldSpace() { release(); }
  void release();  // just before it is used

 private:
  explicit HeldSpace(int fd) : fd_(fd) {}
  int fd_ = -1;
};

// A large file that is written often and is always complete: PATH.next is written, made durable
// and takes PATH's place. The file that it replaces becomes the next PATH.next and keeps
// its space, so that no write of the same size needs more than was reserved.
class TwinFile {
 public:
  // Reserves the space of both files. Errors: as HeldSpace's.
  static Result<TwinFile> reserve(const std::string& path, uint64_t bytes);
  Status write(std::span<const std::string_view> parts);  // a failure leaves PATH as it was
  static void remove(const std::string& path);            // both files

 private:
  TwinFile(std::string path, uint64_t bytes) : path_(std::move(path)), bytes_(bytes) {}
  std::string path_;
  uint64_t bytes_;
  HeldSpace second_;  // until the first write
};

// A read-only map of a whole file. The bytes live as long as the object.
class MappedFile {
 public:
  static Result<std::shared_ptr<const MappedFile>> open(const std::string& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }
  // Releases the pages that were read so far; they are read again when they are needed.
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
