#include "journal/sqlite.h"

namespace expunge::journal {

using base::Code;
using base::fail;
using base::Result;

tl::unexpected<base::Error> sql_error(sqlite3* db, std::string_view action) {
  const int code = db ? sqlite3_errcode(db) : SQLITE_NOMEM;
  const std::string message =
      fmt::format("cannot {}: {}", action, db ? sqlite3_errmsg(db) : "out of memory");
  switch (code & 0xff) {
    case SQLITE_FULL:
      return fail(Code::kIo, message, "the disk is full: free some space and try again");
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return fail(Code::kIo, message,
                  "the journal or its folder is read-only: check the permissions, or set "
                  "EXPUNGE_HOME to a folder that can be written");
    case SQLITE_CANTOPEN:
      return fail(Code::kIo, message,
                  "check that the path's folder exists and can be written, or set EXPUNGE_HOME");
    case SQLITE_IOERR:
      return fail(Code::kIo, message, "is the disk full or failing? nothing was recorded");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return fail(Code::kCorrupt, message,
                  "the journal is damaged: restore it from a backup, or move it away to begin a "
                  "new one with the unedited model");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fail(Code::kConflict, message, "another process is writing the journal: try again");
    case SQLITE_NOMEM:
      return fail(Code::kNoMemory, message);
    case SQLITE_CONSTRAINT:
      return fail(Code::kRefused, message, "the journal is append-only");
    default:
      return fail(Code::kInternal, message);
  }
}

Result<Statement> Statement::prepare(sqlite3* db, std::string_view sql) {
  Statement s;
  s.db_ = db;
  sqlite3_stmt* handle = nullptr;
  if (sqlite3_prepare_v2(db, sql.data(), static_cast<int>(sql.size()), &handle, nullptr) !=
      SQLITE_OK)
    return sql_error(db, "read the journal");
  s.handle_.reset(handle);
  return s;
}

Result<bool> Statement::step() {
  switch (sqlite3_step(get())) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      return sql_error(db_,
                       sqlite3_stmt_readonly(get()) ? "read the journal" : "write the journal");
  }
}

std::string Statement::text(int column) const {
  const void* data = sqlite3_column_blob(get(), column);
  const int size = sqlite3_column_bytes(get(), column);
  return data ? std::string(static_cast<const char*>(data), static_cast<size_t>(size)) : "";
}

base::Status run(sqlite3* db, const char* sql, std::string_view action) {
  if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return sql_error(db, action);
  return {};
}

Result<Transaction> Transaction::begin(sqlite3* db) {
  TRY(run(db, "BEGIN IMMEDIATE", "lock the journal"));
  return Transaction(db);
}

base::Status Transaction::commit() {
  TRY(run(db_, "COMMIT", "commit to the journal"));  // the destructor rolls back a failed one
  db_ = nullptr;
  return {};
}

Transaction::~Transaction() {
  // SQLite rolls some failures back by itself; then there is nothing left to roll back.
  if (db_ && !sqlite3_get_autocommit(db_)) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
}

}  // namespace expunge::journal
