#include "base/sqlite.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/files.h"

namespace expunge::base {
namespace {

std::string file_of(sqlite3* db) {
  const char* path = sqlite3_db_filename(db, "main");
  return path && *path ? path : "the database";
}

}  // namespace

tl::unexpected<Error> sql_error(sqlite3* db, std::string_view action) {
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
                  "the file or its folder is read-only: check the permissions, or set "
                  "EXPUNGE_HOME to a folder that can be written");
    case SQLITE_CANTOPEN:
      return fail(Code::kIo, message,
                  "check that the path's folder exists and can be written, or set EXPUNGE_HOME");
    case SQLITE_IOERR:
      return fail(Code::kIo, message, "is the disk full or failing? nothing was recorded");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return fail(Code::kCorrupt, message,
                  "the file is damaged: restore it from a backup, or move it away to begin a new "
                  "one");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fail(Code::kConflict, message, "another process is writing the file: try again");
    case SQLITE_NOMEM:
      return fail(Code::kNoMemory, message);
    case SQLITE_CONSTRAINT:
      return fail(Code::kRefused, message);
    default:
      return fail(Code::kInternal, message);
  }
}

Result<Database> open_database(const std::string& path, int flags, std::string_view parameters) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#')
      uri += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    else
      uri += c;
  }
  if (!parameters.empty()) uri.append("?").append(parameters);
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(uri.c_str(), &handle, flags | SQLITE_OPEN_URI, nullptr);
  Database db(handle);
  if (code != SQLITE_OK) return sql_error(handle, "open " + path);
  sqlite3_extended_result_codes(handle, 1);
  return db;
}

Status make_secret_file(const std::string& path) {
  if (const auto folder = std::filesystem::path(path).parent_path(); !folder.empty())
    TRY(make_dirs(folder.string()));
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return fail(Code::kIo, fmt::format("cannot open {}: {}", path, std::strerror(errno)),
                errno == ENOSPC
                    ? "the disk is full: free some space and try again"
                    : "check the permissions, or set EXPUNGE_HOME to a folder that can be written");
  ::close(fd);
  return {};
}

void keep_secret(const std::string& path) {
  for (const char* part : {"", "-wal", "-shm"}) {
    const std::string file = path + part;
    struct stat info {};
    if (::stat(file.c_str(), &info) == 0 && (info.st_mode & 0077) != 0)
      ::chmod(file.c_str(), info.st_mode & 0700);
  }
}

Status use_wal(sqlite3* db, int timeout_ms) {
  for (int waited_ms = 0;; waited_ms += 10) {
    const int code = sqlite3_exec(db, "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr);
    if (code == SQLITE_OK) return {};
    if ((code & 0xff) != SQLITE_BUSY || waited_ms >= timeout_ms)
      return sql_error(db, "open " + file_of(db));
    ::usleep(10'000);
  }
}

Result<Statement> Statement::prepare(sqlite3* db, std::string_view sql) {
  Statement s;
  s.db_ = db;
  sqlite3_stmt* handle = nullptr;
  if (sqlite3_prepare_v2(db, sql.data(), static_cast<int>(sql.size()), &handle, nullptr) !=
      SQLITE_OK)
    return sql_error(db, "read " + file_of(db));
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
      return sql_error(db_, (sqlite3_stmt_readonly(get()) ? "read " : "write ") + file_of(db_));
  }
}

std::string Statement::text(int column) const {
  const void* data = sqlite3_column_blob(get(), column);
  const int size = sqlite3_column_bytes(get(), column);
  return data ? std::string(static_cast<const char*>(data), static_cast<size_t>(size)) : "";
}

Result<int64_t> query_integer(sqlite3* db, std::string_view sql) {
  Statement s = TRY(Statement::make(db, sql));
  return TRY(s.step()) ? s.integer(0) : 0;
}

Status run_sql(sqlite3* db, const char* sql, std::string_view action) {
  if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return sql_error(db, action);
  return {};
}

Result<Transaction> Transaction::begin(sqlite3* db) {
  TRY(run_sql(db, "BEGIN IMMEDIATE", "lock " + file_of(db)));
  return Transaction(db);
}

Status Transaction::commit() {
  TRY(run_sql(db_, "COMMIT", "write " + file_of(db_)));  // the destructor rolls back a failed one
  db_ = nullptr;
  return {};
}

Transaction::~Transaction() {
  // SQLite rolls some failures back by itself; then there is nothing left to roll back.
  if (db_ && !sqlite3_get_autocommit(db_)) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
}

}  // namespace expunge::base
