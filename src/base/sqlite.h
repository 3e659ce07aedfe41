// SQLite's C interface with our errors: secret files, statements, transactions, what a failure
// means.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace expunge::base {

// The connection's last failure: SQLITE_FULL is a full disk, SQLITE_BUSY another process, …
tl::unexpected<Error> sql_error(sqlite3* db, std::string_view action);

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;

// `flags` are SQLITE_OPEN_…, `parameters` of the URI ("immutable=1").
Result<Database> open_database(const std::string& path, int flags,
                               std::string_view parameters = {});
// An empty file, with its folder, that only its owner may read; one that is there stays as it is.
Status make_secret_file(const std::string& path);
// Takes the rights of all but the owner from a database and its log and index, whatever the umask
// was and whoever copied it. SQLite gives a new log and index the file's mode.
void keep_secret(const std::string& path);
// Write-ahead log. Two processes that create the same file at once: SQLite refuses the change of
// mode without waiting, so the waiting is done here.
Status use_wal(sqlite3* db, int timeout_ms);

struct Blob {
  std::string_view bytes;
};

class Statement {
 public:
  // Binds the arguments to ?1, ?2, … They must live until the statement is done.
  template <class... Args>
  static Result<Statement> make(sqlite3* db, std::string_view sql, const Args&... args) {
    Statement s = TRY(prepare(db, sql));
    int index = 0;
    (s.bind(++index, args), ...);
    return s;
  }
  Result<bool> step();  // true: there is a row
  int64_t integer(int column) const { return sqlite3_column_int64(get(), column); }
  std::string text(int column) const;  // text or blob; "" for NULL
  bool is_null(int column) const { return sqlite3_column_type(get(), column) == SQLITE_NULL; }

 private:
  static Result<Statement> prepare(sqlite3* db, std::string_view sql);
  void bind(int index, int64_t value) { sqlite3_bind_int64(get(), index, value); }
  void bind(int index, std::string_view value) {  // data() == nullptr: NULL
    sqlite3_bind_text64(get(), index, value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  void bind(int index, Blob value) {
    sqlite3_bind_blob64(get(), index, value.bytes.data(), value.bytes.size(), SQLITE_STATIC);
  }
  sqlite3_stmt* get() const { return handle_.get(); }

  struct Finalize {
    void operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }
  };
  sqlite3* db_ = nullptr;
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

// The first column of the first row, 0 if there is none.
Result<int64_t> query_integer(sqlite3* db, std::string_view sql);
// Statements without parameters; rows are discarded.
Status run_sql(sqlite3* db, const char* sql, std::string_view action);

// BEGIN IMMEDIATE … COMMIT, rolled back unless committed.
class Transaction {
 public:
  static Result<Transaction> begin(sqlite3* db);
  Transaction(Transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Status commit();

 private:
  explicit Transaction(sqlite3* db) : db_(db) {}
  sqlite3* db_;
};

}  // namespace expunge::base
