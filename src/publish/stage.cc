#include "publish/stage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace expunge::publish {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::fail;

bool same_file(const std::string& a, const std::string& b) {
  struct stat x {
  }, y{};
  return ::stat(a.c_str(), &x) == 0 && ::stat(b.c_str(), &y) == 0 && x.st_dev == y.st_dev &&
         x.st_ino == y.st_ino;
}

std::string parent(const std::string& path) {
  const std::string folder = fs::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

void sync_folder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

// Not every file system knows the flags; then the plain rename is used.
int rename_with(const std::string& from, const std::string& to, unsigned flag) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flag) == 0) return 0;
  return errno;
}

}  // namespace

tl::unexpected<base::Error> io_error(std::string_view action, const std::string& path, int err) {
  const char* hint = err == ENOSPC || err == EDQUOT || err == EFBIG
                         ? "the disk is full: free some space and try again; nothing was left"
                     : err == ENOENT                 ? "check that the folder exists"
                     : err == EACCES || err == EROFS ? "check the permissions"
                                                     : "";
  return fail(Code::kIo, fmt::format("cannot {} {}: {}", action, path, std::strerror(err)), hint);
}

base::Status check_destination(const model::Model& model, const ExportOptions& options) {
  const std::string& path = options.path;
  if (path.empty() || path == "/")
    return fail(Code::kUsage, "no place to export to", "give a path");
  for (const auto& map : model.file()->maps())
    if (same_file(path, map->path()) || same_file(path, parent(map->path())))
      return fail(Code::kRefused, fmt::format("{} is the model itself", path),
                  "the source is never written: give another path");
  std::error_code ec;
  const fs::file_status status = fs::status(path, ec);
  if (!fs::exists(status)) return {};
  const bool folder = fs::is_directory(status);
  if (options.format == Format::kGguf && !fs::is_regular_file(status))
    return fail(Code::kUsage, fmt::format("{} is not a regular file", path),
                "a GGUF is one file: give a path to it");
  if (options.format != Format::kGguf && !folder)
    return fail(Code::kUsage, fmt::format("{} is a file", path),
                "this export is a folder: give a path to it");
  if (folder && fs::is_empty(path, ec)) return {};
  if (options.overwrite == Overwrite::kNo)
    return fail(Code::kConflict, fmt::format("{} exists", path),
                "give another path, or allow overwriting");
  if (folder && !fs::exists(fs::path(path) / "expunge.json", ec))
    return fail(Code::kRefused, fmt::format("{} holds files that no export made", path),
                "only the folder of an earlier export is overwritten");
  return {};
}

std::string weights_file(Format format, const std::string& path) {
  return format == Format::kGguf          ? path
         : format == Format::kSafetensors ? path + "/model.safetensors"
                                          : path + "/adapter_model.safetensors";
}

base::Result<Stage> Stage::make(const ExportOptions& options) {
  std::string target = options.path;
  while (target.size() > 1 && target.back() == '/') target.pop_back();
  Stage stage(fmt::format("{}.{}.part", target, ::getpid()));
  std::error_code ec;
  fs::remove_all(stage.path_, ec);
  if (options.format != Format::kGguf && ::mkdir(stage.path_.c_str(), 0777) != 0)
    return io_error("create the folder", stage.path_, errno);
  return stage;
}

Stage::~Stage() {
  std::error_code ec;
  if (!path_.empty()) fs::remove_all(path_, ec);
}

std::string Stage::weights_file(Format format) const {
  return publish::weights_file(format, path_);
}

base::Status Stage::put_in_place(const ExportOptions& options) {
  std::string target = options.path;
  while (target.size() > 1 && target.back() == '/') target.pop_back();
  std::error_code ec;
  const bool empty_folder = fs::is_directory(target, ec) && fs::is_empty(target, ec);
  int err = 0;
  if (options.overwrite == Overwrite::kNo && !empty_folder) {
    err = rename_with(path_, target, RENAME_NOREPLACE);
    if (err == EEXIST)
      return fail(Code::kConflict, fmt::format("{} was made by someone else meanwhile", target));
  } else if (fs::is_directory(target, ec) && !empty_folder) {
    err = rename_with(path_, target, RENAME_EXCHANGE);
    if (err == 0) {  // the destructor removes the old folder
      sync_folder(parent(target));
      return {};
    }
    fs::remove_all(target, ec);
  } else {
    err = EINVAL;  // a plain rename replaces files and empty folders
  }
  if (err != 0 && ::rename(path_.c_str(), target.c_str()) != 0)
    return io_error("make", target, errno);
  path_.clear();
  sync_folder(parent(target));
  return {};
}

}  // namespace expunge::publish
