// The database's tables, and how a file becomes or is recognised as one of ours.
#pragma once

#include "base/sqlite.h"
#include "journal/journal.h"

namespace expunge::journal {

inline constexpr int64_t kSchema = 2;  // 1 lacked the table "parts"

inline bool writes(Mode mode) { return mode == Mode::kReadWrite || mode == Mode::kUpdate; }

// Write-ahead log, durable commits, freed bytes overwritten, temporaries in memory only.
base::Status configure(sqlite3* db, const OpenOptions& options);
// Creates the tables, or those that an older journal lacks, unless another process already has.
base::Status create(sqlite3* db, const ModelIdentity& model);
// Whether that was ever committed. A process that was killed before leaves an empty file.
base::Result<bool> is_created(sqlite3* db);
// kCorrupt unless it is a journal, kUnsupported for a newer schema.
base::Status check_format(sqlite3* db, const std::string& path);
base::Result<ModelIdentity> read_model(sqlite3* db);

}  // namespace expunge::journal
