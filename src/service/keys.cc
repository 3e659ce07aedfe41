#include "service/keys.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <openssl/crypto.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <filesystem>

#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"

namespace expunge::service {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr std::array<std::string_view, 3> kScopes = {"chat", "forget", "admin"};
constexpr std::string_view kPrefix = "xp-";

// Which version of a file it is; "" if there is none.
std::string stamp_of(const std::string& path) {
  struct stat s = {};
  if (::stat(path.c_str(), &s) != 0) return "";
  return fmt::format("{} {} {}.{}", s.st_ino, s.st_size, s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
}

// Held while the file is read and written again.
class Lock {
 public:
  static Result<Lock> take(const std::string& path) {
    const int fd = ::open((path + ".lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 || ::flock(fd, LOCK_EX) != 0)
      return fail(Code::kIo, "cannot lock " + path, "may it be written?");
    return Lock(fd);
  }
  Lock(Lock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Lock() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  explicit Lock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace

std::string_view name(Scope scope) { return kScopes[static_cast<size_t>(scope)]; }

std::optional<Scope> scope_from_name(std::string_view name) {
  const auto it = std::ranges::find(kScopes, name);
  if (it == kScopes.end()) return std::nullopt;
  return static_cast<Scope>(it - kScopes.begin());
}

Result<Keys> Keys::open() { return open(TRY(base::data_dir()) + "/keys.json"); }

Result<Keys> Keys::open(std::string path) {
  Keys keys(std::move(path));
  TRY(keys.read());
  return keys;
}

Status Keys::refresh() { return stamp_of(path_) == stamp_ ? Status() : read(); }

Status Keys::read() {
  const std::string stamp = stamp_of(path_);
  std::vector<Key> keys;
  if (!stamp.empty()) {
    const Json json = TRY(base::read_json(path_));
    const auto bad = [&] {
      return fail(Code::kCorrupt, path_ + " is not a file of keys",
                  "move it away and create the keys again");
    };
    if (!json.is_object() || !json.contains("keys") || !json["keys"].is_array()) return bad();
    for (const Json& k : json["keys"]) {
      Key key;
      for (const auto& [field, to] : {std::pair{"id", &key.id},
                                      {"note", &key.note},
                                      {"created", &key.created},
                                      {"sha256", &key.sha256}}) {
        if (!k.is_object() || !k.contains(field) || !k[field].is_string()) return bad();
        *to = k[field].get<std::string>();
      }
      const auto scope = scope_from_name(
          k.value("scope", Json()).is_string() ? k["scope"].get<std::string>() : std::string());
      if (!scope || key.sha256.size() != 64) return bad();
      key.scope = *scope;
      keys.push_back(std::move(key));
    }
  }
  keys_ = std::move(keys);
  stamp_ = stamp;
  return {};
}

Status Keys::write() const {
  Json list = Json::array();
  for (const Key& k : keys_)
    list.push_back({{"id", k.id},
                    {"scope", name(k.scope)},
                    {"note", k.note},
                    {"created", k.created},
                    {"sha256", k.sha256}});
  return base::write_file_atomic(path_, base::dump_json({{"keys", std::move(list)}}, 1) + "\n",
                                 base::Access::kSecret);
}

std::optional<Scope> Keys::scope_of(std::string_view secret) const {
  const std::string hash = base::sha256_hex(secret);
  std::optional<Scope> scope;
  for (const Key& k : keys_)
    if (CRYPTO_memcmp(k.sha256.data(), hash.data(), hash.size()) == 0) scope = k.scope;
  return scope;
}

Result<Keys::Created> Keys::create(Scope scope, const std::string& note) {
  TRY(base::make_dirs(std::filesystem::path(path_).parent_path()));
  const Lock lock = TRY(Lock::take(path_));
  TRY(refresh());
  Created created{.key = {.id = random_text(8), .scope = scope, .note = note},
                  .secret = std::string(kPrefix) + random_text(43)};
  created.key.created = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  created.key.sha256 = base::sha256_hex(created.secret);
  keys_.push_back(created.key);
  TRY(write());
  return created;
}

Result<Key> Keys::revoke(const std::string& id) {
  if (stamp_of(path_).empty()) return fail(Code::kNotFound, "there are no keys");
  const Lock lock = TRY(Lock::take(path_));
  TRY(refresh());
  const auto it = std::ranges::find(keys_, id, &Key::id);
  if (it == keys_.end())
    return fail(Code::kNotFound, fmt::format("there is no key '{}'", id),
                "'expunge key list' shows them");
  const Key key = *it;
  keys_.erase(it);
  TRY(write());
  return key;
}

}  // namespace expunge::service
