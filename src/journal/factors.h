// An edit's serialised factors: the first part in its entry's row, the rest in the table "parts",
// since SQLite keeps a row in memory and accepts none of more than 1 GB.
#pragma once

#include "base/sqlite.h"

namespace expunge::journal {

constexpr size_t kPartBytes = size_t{16} << 20;

// The part in the row.
inline std::string_view first_part(std::string_view factors) {
  return factors.substr(0, kPartBytes);
}
base::Status insert_rest(sqlite3* db, int64_t entry, std::string_view factors);
// `size` bytes, unless the journal was changed; "" for an entry that is not there.
base::Result<std::string> read_factors(sqlite3* db, int64_t entry, size_t size);

}  // namespace expunge::journal
