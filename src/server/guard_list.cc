#include "server/guard_list.h"

#include <algorithm>
#include <chrono>

#include "base/files.h"

namespace expunge::server {

using base::Result;
using base::Status;
using guard::Target;

namespace {

std::string today() {
  const auto day = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
  const std::chrono::year_month_day date(day);
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

// Changes with the file.
std::string stamp_of(const std::string& file) {
  std::error_code ignored;
  const auto time = std::filesystem::last_write_time(file, ignored);
  return fmt::format("{} {}", std::filesystem::file_size(file, ignored),
                     time.time_since_epoch().count());
}

}  // namespace

GuardList::GuardList(guard::Store store, std::string file,
                     std::function<void(const std::string&)> warn)
    : store_(std::move(store)), file_(std::move(file)), warn_(std::move(warn)) {}

Result<std::unique_ptr<GuardList>> GuardList::open(const std::string& store,
                                                   const std::string& file,
                                                   std::function<void(const std::string&)> warn) {
  std::unique_ptr<GuardList> list(
      new GuardList(TRY(guard::Store::open(store)), file, std::move(warn)));
  if (!file.empty()) TRY(list->read_file());
  TRY(list->store_.list());
  list->now();
  return list;
}

Status GuardList::read_file() {
  file_stamp_ = stamp_of(file_);
  of_file_ = TRY_AT(file_, guard::read_targets(TRY(base::read_file(file_))));
  is_stale_ = true;
  return {};
}

std::shared_ptr<const guard::Scanner> GuardList::now() {
  const std::lock_guard lock(mutex_);
  if (!file_.empty() && stamp_of(file_) != file_stamp_)
    if (const Status read = read_file(); !read && warn_)
      warn_(fmt::format("{}: {}; the list stays as it was", file_, read.error().message));
  const auto version = store_.version();
  if (version && *version != std::exchange(version_, *version)) is_stale_ = true;
  const std::string day = today();
  if (day != std::exchange(day_, day)) is_stale_ = true;
  if (!is_stale_ && scanner_) return scanner_;
  auto targets = store_.list();
  if (!targets) {
    if (warn_) warn_(targets.error().message + "; the list stays as it was");
    if (scanner_) return scanner_;
    targets =
        std::vector<Target>();  // open() has read it once: unreachable, but never without a scanner
  }
  std::ranges::copy(of_file_, std::back_inserter(*targets));
  std::erase_if(*targets, [&](const Target& t) { return !guard::is_active(t, day); });
  is_stale_ = false;
  return scanner_ = std::make_shared<const guard::Scanner>(std::move(*targets));
}

Result<std::vector<Target>> GuardList::all() {
  const std::lock_guard lock(mutex_);
  auto targets = TRY(store_.list());
  std::ranges::copy(of_file_, std::back_inserter(targets));
  return targets;
}

Result<int64_t> GuardList::add(const Target& target) {
  const std::lock_guard lock(mutex_);
  return store_.add(target);
}

Result<Target> GuardList::remove(int64_t id) {
  const std::lock_guard lock(mutex_);
  return store_.remove(id);
}

}  // namespace expunge::server
