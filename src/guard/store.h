// The operator's list of targets, in SQLite; several processes and threads may read and write it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "guard/target.h"

struct sqlite3;

namespace expunge::guard {

// data_dir()/guard.db
base::Result<std::string> default_path();

class Store {
 public:
  // Made if it is not there, readable by its owner alone. Errors: kCorrupt (not such a file),
  // kUnsupported (of a newer version), kConflict (locked by another process for 5 s), kIo.
  static base::Result<Store> open(const std::string& path);
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  base::Result<std::vector<Target>> list() const;  // by id
  // The id. A name that is there already (letter case aside) is replaced and keeps its id.
  base::Result<int64_t> add(const Target& target);
  base::Result<size_t> import(const std::vector<Target>& targets);  // all or none; how many
  base::Result<Target> remove(int64_t id);                          // kNotFound
  // Changes whenever the list does, by whichever process.
  base::Result<int64_t> version() const;

 private:
  struct Handle;
  explicit Store(std::unique_ptr<Handle> handle);
  std::unique_ptr<Handle> handle_;
};

}  // namespace expunge::guard
