// The operator's targets as a scanner that is always of the present list.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "guard/scanner.h"
#include "guard/store.h"

namespace expunge::server {

class GuardList {
 public:
  // Targets of the store, and of a file of JSON lines besides ("" = none). Errors: those of both.
  // `warn` is told when a file that was changed cannot be read: then the list stays as it was.
  static base::Result<std::unique_ptr<GuardList>> open(
      const std::string& store, const std::string& file,
      std::function<void(const std::string&)> warn);

  // Reads again what has changed; targets that have expired do not count.
  std::shared_ptr<const guard::Scanner> now();
  // All targets, those of the file without an id.
  base::Result<std::vector<guard::Target>> all();
  base::Result<int64_t> add(const guard::Target& target);
  base::Result<guard::Target> remove(int64_t id);

 private:
  GuardList(guard::Store store, std::string file, std::function<void(const std::string&)> warn);
  base::Status read_file();
  std::mutex mutex_;
  guard::Store store_;
  const std::string file_;
  const std::function<void(const std::string&)> warn_;
  std::vector<guard::Target> of_file_;
  std::string file_stamp_, day_;
  int64_t version_ = -1;
  bool is_stale_ = true;
  std::shared_ptr<const guard::Scanner> scanner_;
};

}  // namespace expunge::server
