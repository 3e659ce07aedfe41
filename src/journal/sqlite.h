// SQLite's C interface with our errors: statements, transactions, what a failure means.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace expunge::journal {

// The connection's last failure: SQLITE_FULL is a full disk, SQLITE_BUSY another process, …
tl::unexpected<base::Error> sql_error(sqlite3* db, std::string_view action);

struct Blob {
  std::string_view bytes;
};

class Statement {
 public:
  // Binds the arguments to ?1, ?2, … They must live until the statement is done.
  template <class... Args>
  static base::Result<Statement> make(sqlite3* db, std::string_view sql, const Args&... args) {
    Statement s = TRY(prepare(db, sql));
    int index = 0;
    (s.bind(++index, args), ...);
    return s;
  }
  base::Result<bool> step();  // true: there is a row
  int64_t integer(int column) const { return sqlite3_column_int64(get(), column); }
  std::string text(int column) const;  // text or blob; "" for NULL
  bool is_null(int column) const { return sqlite3_column_type(get(), column) == SQLITE_NULL; }

 private:
  static base::Result<Statement> prepare(sqlite3* db, std::string_view sql);
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

// Statements without parameters; rows are discarded.
base::Status run(sqlite3* db, const char* sql, std::string_view action);

// BEGIN IMMEDIATE … COMMIT, rolled back unless committed.
class Transaction {
 public:
  static base::Result<Transaction> begin(sqlite3* db);
  Transaction(Transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  base::Status commit();

 private:
  explicit Transaction(sqlite3* db) : db_(db) {}
  sqlite3* db_;
};

}  // namespace expunge::journal
