// The keys of a server's clients: a file that knows only their hashes. A key is 32 random bytes, so
// that its plain SHA-256 cannot be guessed back.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/random.h"

namespace expunge::service {

// Each may do what the ones before it may: talk; forget and undo; export and administer.
enum class Scope { kChat, kForget, kAdmin };
std::string_view name(Scope scope);
std::optional<Scope> scope_from_name(std::string_view name);

struct Key {
  std::string id = {};  // eight characters, to name it
  Scope scope = Scope::kChat;
  std::string note = {};     // of whoever made it
  std::string created = {};  // UTC, ISO 8601
  std::string sha256 = {};   // of the key itself
};

using base::random_text;

class Keys {
 public:
  // data_dir()/keys.json; a file that is not there has no keys.
  static base::Result<Keys> open();
  static base::Result<Keys> open(std::string path);
  const std::vector<Key>& all() const { return keys_; }
  bool empty() const { return keys_.empty(); }
  // Reads the file again if it has changed. A file that cannot be read is an error, never "no
  // keys".
  base::Status refresh();
  // Its scope, or nothing; in a time that does not depend on where they differ.
  std::optional<Scope> scope_of(std::string_view secret) const;

  struct Created {
    Key key;
    std::string secret;  // shown once, never kept
  };
  // In the file too, which only its owner can read. Several processes at once are in order.
  base::Result<Created> create(Scope scope, const std::string& note);
  base::Result<Key> revoke(const std::string& id);  // kNotFound

 private:
  explicit Keys(std::string path) : path_(std::move(path)) {}
  base::Status read();
  base::Status write() const;
  std::string path_;
  std::string stamp_;  // of the file that was read
  std::vector<Key> keys_;
};

}  // namespace expunge::service
