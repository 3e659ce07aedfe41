#include "base/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
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
                     : err == EDQUOT ? "your quota of the disk is used up: free some space"
                     : err == EFBIG ? "this process may not write files of that size: see ulimit -f"
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

// Fsyncs the folder of a file, so that a rename in it survives a power cut.
void sync_folder_of(const std::string& path) {
  const std::string folder = fs::path(path).parent_path().string();
  Fd dir(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (dir.get() >= 0) ::fsync(dir.get());
}

// A new file next to `path`, its name in `name`. The kernel applies the umask; mkstemp would not.
int create_beside(const std::string& path, Access access, std::string& name) {
  static std::atomic<uint64_t> counter = 0;
  int fd = -1;
  for (int attempt = 0; attempt < 10'000; ++attempt) {
    name = fmt::format("{}.{}-{}.part", path, ::getpid(), counter++);
    fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
                access == Access::kSecret ? 0600 : 0666);
    if (fd >= 0 || errno != EEXIST) break;
  }
  // A umask that takes the owner's rights away is ignored for a secret.
  if (fd >= 0 && access == Access::kSecret) ::fchmod(fd, 0600);
  return fd;
}

Status write_parts(int fd, std::span<const std::string_view> parts, const std::string& path) {
  for (const std::string_view bytes : parts) TRY(write_all(fd, bytes, path));
  return {};
}

// Reserves disk space for a file's first bytes -> errno. Where a file system cannot, only the free
// space is checked.
int allocate(int fd, uint64_t bytes) {
  struct stat now {};
  struct statvfs disk {};
  if (::fstat(fd, &now) != 0 || ::fstatvfs(fd, &disk) != 0) return errno;
  const uint64_t there = static_cast<uint64_t>(now.st_blocks) * 512;  // stat(2): blocks of 512
  if (bytes > there && bytes - there > disk.f_bavail * disk.f_frsize) return ENOSPC;
  if (bytes == 0 || ::fallocate(fd, 0, 0, static_cast<off_t>(bytes)) == 0) return 0;
  return errno == EOPNOTSUPP || errno == ENOSYS ? 0 : errno;
}

tl::unexpected<Error> no_space(const std::string& path, uint64_t bytes, int err) {
  if (err != ENOSPC) return io_error(fmt::format("reserve {} bytes for", bytes), path, err);
  const std::string folder = fs::path(path).parent_path().string();
  struct statvfs disk {};
  uint64_t available = 0;
  if (::statvfs(folder.empty() ? "." : folder.c_str(), &disk) == 0)
    available = disk.f_bavail * disk.f_frsize;
  constexpr double kMega = 1e6;
  return fail(
      Code::kIo,
      fmt::format("{} needs {:.1f} MB of disk space, {:.1f} MB are free", path,
                  static_cast<double>(bytes) / kMega, static_cast<double>(available) / kMega),
      "free some space, or choose a folder on another disk");
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

Status write_file_atomic(const std::string& path, std::string_view bytes, Access access) {
  return write_file_atomic(path, std::span(&bytes, 1), access);
}

Status write_file_atomic(const std::string& path, std::span<const std::string_view> parts,
                         Access access) {
  std::string temporary;
  Fd fd(create_beside(path, access, temporary));
  if (fd.get() < 0) return io_error("create a file beside", path, errno);
  Status written = write_parts(fd.get(), parts, path);
  if (written && ::fsync(fd.get()) != 0) written = io_error("sync", path, errno);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0)
    written = io_error("rename onto", path, errno);
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  sync_folder_of(path);
  return {};
}

Result<HeldSpace> HeldSpace::hold(const std::string& folder, uint64_t bytes) {
  const std::string where = folder.empty() ? "." : folder;
  int fd = ::open(where.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {  // not every file system has them
    std::string name;
    fd = create_beside(where + "/space", Access::kSecret, name);
    if (fd >= 0) ::unlink(name.c_str());
  }
  if (fd < 0) return io_error("create a file in", where, errno);
  HeldSpace held(fd);
  if (const int err = allocate(fd, bytes); err != 0) return no_space(where + "/", bytes, err);
  return held;
}

void HeldSpace::release() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<TwinFile> TwinFile::reserve(const std::string& path, uint64_t bytes) {
  TwinFile twin(path, bytes);
  const std::string next = path + ".next";
  Fd fd(::open(next.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (fd.get() < 0) return io_error("create", next, errno);
  const bool is_first = ::access(path.c_str(), F_OK) != 0;
  const auto folder = fs::path(path).parent_path().string();
  int err = allocate(fd.get(), bytes);
  if (err == 0 && is_first) {
    auto second = HeldSpace::hold(folder, bytes);
    if (second) {
      twin.second_ = *std::move(second);
      return twin;
    }
    err = ENOSPC;
  }
  if (err == 0) return twin;
  ::unlink(next.c_str());
  return no_space(path, is_first ? 2 * bytes : bytes, err);
}

Status TwinFile::write(std::span<const std::string_view> parts) {
  const std::string next = path_ + ".next";
  {
    Fd fd(::open(next.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
    if (fd.get() < 0) return io_error("create", next, errno);
    TRY(write_parts(fd.get(), parts, next));
    uint64_t size = 0;
    for (const std::string_view bytes : parts) size += bytes.size();
    if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0)
      return io_error("set the size of", next, errno);
    if (::fsync(fd.get()) != 0) return io_error("sync", next, errno);
  }
  // Not every file system can exchange two files; then the old file's space is freed.
  const bool exchanged =
      ::renameat2(AT_FDCWD, next.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) == 0;
  if (!exchanged && ::rename(next.c_str(), path_.c_str()) != 0)
    return io_error("rename onto", path_, errno);
  sync_folder_of(path_);
  if (exchanged) return {};
  second_.release();
  Fd fd(::open(next.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (fd.get() >= 0) allocate(fd.get(), bytes_);  // else the next write reports it
  return {};
}

void TwinFile::remove(const std::string& path) {
  ::unlink(path.c_str());
  ::unlink((path + ".next").c_str());
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
