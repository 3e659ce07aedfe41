#include "base/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace expunge::base {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> io_error(std::string_view action, const std::string& path, int err) {
  const Code code = err == ENOENT ? Code::kNotFound : Code::kIo;
  const char* hint = err == ENOENT   ? "check the path"
                     : err == EACCES ? "check the permissions"
                     : err == EROFS  ? "the file system is read-only"
                     : err == ENOSPC ? "the disk is full: free some space and try again"
                     : err == EISDIR ? "a file is expected here, not a folder"
                                     : "";
  return fail(code, fmt::format("cannot {} {}: {}", action, path, std::strerror(err)), hint);
}

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

Status write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("write", path, errno);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

Result<std::string> user_dir(const char* own, const char* xdg, const char* under_home) {
  std::string dir;
  const auto env = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  if (!(dir = env(own)).empty()) {
  } else if (!(dir = env(xdg)).empty()) {
    dir += "/expunge";
  } else if (!(dir = env("HOME")).empty()) {
    dir += under_home;
  } else {
    return fail(Code::kUsage, fmt::format("neither ${}, ${} nor $HOME is set", own, xdg),
                fmt::format("set {} to a folder that can be written", own));
  }
  return dir;
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return io_error("open", path, errno);
  std::string bytes;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("read", path, errno);
    if (n == 0) return bytes;
    bytes.append(buffer, static_cast<size_t>(n));
  }
}

Status write_file_atomic(const std::string& path, std::string_view bytes) {
  return write_file_atomic(path, std::span(&bytes, 1));
}

Status write_file_atomic(const std::string& path, std::span<const std::string_view> parts) {
  std::string temporary = path + ".XXXXXX";
  Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (fd.get() < 0) return io_error("create a file beside", path, errno);
  Status written;
  for (const std::string_view bytes : parts)
    if (written) written = write_all(fd.get(), bytes, path);
  if (written && ::fsync(fd.get()) != 0) written = io_error("sync", path, errno);
  if (written && ::fchmod(fd.get(), 0644) != 0) written = io_error("chmod", path, errno);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0)
    written = io_error("rename onto", path, errno);
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  const std::string folder = fs::path(path).parent_path().string();
  Fd dir(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (dir.get() >= 0) ::fsync(dir.get());
  return {};
}

Status make_dirs(const std::string& path) {
  std::error_code ec;
  fs::create_directories(path, ec);
  if (ec) return io_error("create folder", path, ec.value());
  return {};
}

Result<std::string> cache_dir() {
  const std::string dir = TRY(user_dir("EXPUNGE_CACHE", "XDG_CACHE_HOME", "/.cache/expunge"));
  TRY(make_dirs(dir));
  return dir;
}
Result<std::string> data_dir() {
  return user_dir("EXPUNGE_HOME", "XDG_DATA_HOME", "/.local/share/expunge");
}

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return io_error("open", path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return io_error("stat", path, errno);
  if (S_ISDIR(info.st_mode)) return io_error("map", path, EISDIR);
  if (info.st_size == 0) return fail(Code::kCorrupt, fmt::format("{} is empty", path));
  return map(fd.get(), path, static_cast<size_t>(info.st_size));
}

Result<std::shared_ptr<const MappedFile>> MappedFile::nameless(const std::string& folder,
                                                               std::string_view bytes) {
  std::string path = folder + "/.expunge.XXXXXX";
  Fd fd(::mkostemp(path.data(), O_CLOEXEC));
  if (fd.get() < 0) return io_error("create a file in", folder, errno);
  ::unlink(path.c_str());
  TRY(write_all(fd.get(), bytes, path));
  return map(fd.get(), path, bytes.size());
}

Result<std::shared_ptr<const MappedFile>> MappedFile::map(int fd, const std::string& path,
                                                          size_t size) {
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (data == MAP_FAILED) return io_error("map", path, errno);
  return std::shared_ptr<const MappedFile>(
      new MappedFile(path, static_cast<const std::byte*>(data), size));
}

void MappedFile::release() const {
  (void)::madvise(const_cast<std::byte*>(data_), size_,
                  MADV_DONTNEED);  // MAP_PRIVATE, never written
}

MappedFile::~MappedFile() { ::munmap(const_cast<std::byte*>(data_), size_); }

}  // namespace expunge::base
