// Sealing and checking a journal.
#include "base/hash.h"
#include "journal/factors.h"
#include "journal/row.h"
#include "journal/schema.h"

namespace expunge::journal {
namespace {

using base::Code;
using base::fail;
using base::run_sql;
using base::Statement;
using base::Transaction;

base::Status empty_log(sqlite3* db) {
  Statement s = TRY(Statement::make(db, "PRAGMA wal_checkpoint(TRUNCATE)"));
  if (TRY(s.step()) && s.integer(0) == 0) return {};
  return fail(Code::kConflict,
              "the entry is sealed, but another process holds the journal open, so that its text "
              "is still in the file",
              "close the other process and seal the entry again");
}

// The texts are gone from the table; this removes them from the file. The log has old pages, and
// a page may contain old rows in its free space: the log is emptied and the file rewritten.
base::Status scrub(sqlite3* db) {
  TRY(empty_log(db));
  TRY(run_sql(db, "VACUUM", "rewrite the journal"));
  TRY(run_sql(db, "UPDATE state SET scrub = 0", "rewrite the journal"));
  return empty_log(db);
}

tl::unexpected<base::Error> tampered(std::string what) {
  return fail(Code::kCorrupt, std::move(what),
              "the journal is damaged or was changed by hand: restore it from a backup");
}

}  // namespace

base::Status Journal::seal(int64_t id) {
  if (!writes(options_.mode))
    return fail(Code::kIo, fmt::format("the journal {} was opened for reading", path_));
  TRY(check_still_there());
  if (!TRY(entry(id)).sealed) {
    Transaction transaction = TRY(Transaction::begin(db_.get()));
    Statement s = TRY(Statement::make(db_.get(),
                                      "UPDATE entries SET sealed = 1, request = NULL, plan = NULL, "
                                      "report = NULL, provenance = NULL WHERE id = ?1 AND sealed = "
                                      "0",
                                      id));
    TRY(s.step());
    TRY(run_sql(db_.get(), "UPDATE state SET scrub = 1", "seal the entry"));
    TRY(transaction.commit());
  }
  return scrub(db_.get());
}

// A process that was killed between sealing and scrubbing left this to the next one. A journal that
// another process uses is left for later.
base::Status Journal::finish_scrub() {
  Statement s = TRY(Statement::make(db_.get(), "SELECT scrub FROM state"));
  if (!TRY(s.step()) || s.integer(0) == 0) return {};
  s = TRY(Statement::make(db_.get(), "SELECT 1"));  // ends the read, which would block the scrub
  sqlite3_busy_timeout(db_.get(), 0);
  const base::Status done = scrub(db_.get());
  sqlite3_busy_timeout(db_.get(), options_.busy_timeout_ms);
  return done || done.error().code == Code::kConflict ? base::Status() : done;
}

base::Status Journal::check() const {
  {
    Statement s = TRY(Statement::make(db_.get(), "PRAGMA integrity_check(1)"));
    if (TRY(s.step()) && s.text(0) != "ok") return tampered("the journal: " + s.text(0));
  }
  std::string before = chain_start(model_);
  int64_t id = 0;
  Statement s =
      TRY(Statement::make(db_.get(), fmt::format("SELECT {} FROM entries ORDER BY id", kColumns)));
  while (TRY(s.step())) {
    const Row row = TRY(read_row(s));
    const Entry& e = row.entry;
    if (e.id != ++id) return tampered(fmt::format("entry {} is missing", id));
    if (e.base_hash != model_.file_hash)
      return tampered(fmt::format("entry {}: it names another model", id));
    TRY(check_texts(row));
    const std::string factors = TRY(read_factors(db_.get(), id, e.edit_bytes));
    if (factors.size() != e.edit_bytes ||
        (factors.empty() ? "" : base::sha256_hex(factors)) != e.edit_hash)
      return tampered(fmt::format("entry {}: the factors were changed", id));
    if (chain_after(before, row) != e.chain)
      return tampered(fmt::format("entry {}: the chain of hashes is broken", id));
    before = e.chain;
  }
  return {};
}

}  // namespace expunge::journal
