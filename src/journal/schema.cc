#include "journal/schema.h"

#include "journal/row.h"

namespace expunge::journal {
namespace {

using base::Code;
using base::fail;
using base::query_integer;
using base::run_sql;
using base::Statement;
using base::Transaction;

constexpr int64_t kApplicationId = 0x45585047;  // "EXPG"

// An update may only seal: sealed 0 -> 1 with the texts gone. The unsealable columns are named in a
// separate trigger, since a trigger's OF list is the only way to refuse them all.
constexpr const char* kTables = R"sql(
CREATE TABLE model (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  file_hash TEXT NOT NULL, weights_hash TEXT NOT NULL, path TEXT NOT NULL);
CREATE TABLE state (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  scrub INTEGER NOT NULL);
INSERT INTO state VALUES (1, 0);
CREATE TABLE entries (
  id INTEGER PRIMARY KEY, time TEXT NOT NULL, kind TEXT NOT NULL, method TEXT NOT NULL,
  verdict TEXT NOT NULL, base_hash TEXT NOT NULL, weights_hash TEXT NOT NULL,
  expunge TEXT NOT NULL, libtorch TEXT NOT NULL, schema INTEGER NOT NULL, seed INTEGER NOT NULL,
  undoes INTEGER NOT NULL, replaces TEXT NOT NULL, sealed INTEGER NOT NULL, salt TEXT NOT NULL,
  request TEXT, plan TEXT, report TEXT, provenance TEXT,
  request_hash TEXT NOT NULL, plan_hash TEXT NOT NULL, report_hash TEXT NOT NULL,
  provenance_hash TEXT NOT NULL, report_figures TEXT NOT NULL, provenance_figures TEXT NOT NULL,
  edit_hash TEXT NOT NULL, edit_bytes INTEGER NOT NULL, chain TEXT NOT NULL,
  factors BLOB NOT NULL);
CREATE TRIGGER entries_in_order BEFORE INSERT ON entries
  WHEN NEW.id <> (SELECT COALESCE(MAX(id), 0) + 1 FROM entries)
  BEGIN SELECT RAISE(ABORT, 'entries are numbered in order'); END;
CREATE TRIGGER entries_stay BEFORE DELETE ON entries
  BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;
CREATE TRIGGER entries_fixed BEFORE UPDATE OF id, time, kind, method, verdict, base_hash,
    weights_hash, expunge, libtorch, schema, seed, undoes, replaces, salt, request_hash, plan_hash,
    report_hash, provenance_hash, report_figures, provenance_figures, edit_hash, edit_bytes, chain,
    factors ON entries
  BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
CREATE TRIGGER entries_sealed_only BEFORE UPDATE OF request, plan, report, provenance, sealed
    ON entries
  WHEN NOT (OLD.sealed = 0 AND NEW.sealed = 1 AND NEW.request IS NULL AND NEW.plan IS NULL
            AND NEW.report IS NULL AND NEW.provenance IS NULL)
  BEGIN SELECT RAISE(ABORT, 'entries are changed by sealing only'); END;
CREATE TRIGGER model_fixed BEFORE UPDATE ON model
  BEGIN SELECT RAISE(ABORT, 'a journal belongs to one model'); END;
CREATE TRIGGER model_stays BEFORE DELETE ON model
  BEGIN SELECT RAISE(ABORT, 'a journal belongs to one model'); END;
)sql";

constexpr const char* kParts = R"sql(
CREATE TABLE parts (
  entry INTEGER NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (entry, part));
CREATE TRIGGER parts_stay BEFORE DELETE ON parts
  BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;
CREATE TRIGGER parts_fixed BEFORE UPDATE ON parts
  BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;
)sql";

}  // namespace

base::Status configure(sqlite3* db, const OpenOptions& options) {
  sqlite3_busy_timeout(db, options.busy_timeout_ms);
  if (!writes(options.mode))
    return run_sql(db, "PRAGMA temp_store = MEMORY; PRAGMA query_only = ON", "open the journal");
  TRY(base::use_wal(db, options.busy_timeout_ms));
  return run_sql(db,
                 "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY",
                 "open the journal");
}

base::Status create(sqlite3* db, const ModelIdentity& model) {
  constexpr int64_t kNone = -1, kWithoutParts = 1;
  const auto schema = [&]() -> base::Result<int64_t> {  // kNone: no tables; 0: not one of ours
    if (TRY(query_integer(db, "SELECT COUNT(*) FROM sqlite_master")) == 0) return kNone;
    return TRY(query_integer(db, "PRAGMA application_id")) == kApplicationId
               ? TRY(query_integer(db, "PRAGMA user_version"))
               : 0;
  };
  if (const int64_t s = TRY(schema()); s != kNone && s != kWithoutParts) return {};
  Transaction transaction = TRY(Transaction::begin(db));
  const int64_t found = TRY(schema());
  if (found != kNone && found != kWithoutParts) return {};
  if (found == kNone) TRY(run_sql(db, kTables, "create the journal"));
  TRY(run_sql(db, kParts, "create the journal"));
  const std::string identity =
      fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kApplicationId, kSchema);
  TRY(run_sql(db, identity.c_str(), "create the journal"));
  if (found == kWithoutParts) return transaction.commit();
  Statement s = TRY(Statement::make(db, "INSERT INTO model VALUES (1, ?1, ?2, ?3)", model.file_hash,
                                    model.weights_hash, model.path));
  TRY(s.step());
  return transaction.commit();
}

base::Result<bool> is_created(sqlite3* db) {
  auto tables = query_integer(db, "SELECT COUNT(*) FROM sqlite_master");
  // A rollback file, which only a writer can play back: a journal has one only while the empty file
  // is changed to write-ahead mode.
  if (!tables && sqlite3_extended_errcode(db) == SQLITE_READONLY_ROLLBACK) return false;
  return TRY(std::move(tables)) > 0;
}

base::Status check_format(sqlite3* db, const std::string& path) {
  if (TRY(query_integer(db, "PRAGMA application_id")) != kApplicationId)
    return fail(Code::kCorrupt, fmt::format("{} is not a journal of expunge", path),
                "give another path, or move the file away");
  if (const int64_t schema = TRY(query_integer(db, "PRAGMA user_version")); schema > kSchema)
    return fail(
        Code::kUnsupported,
        fmt::format("the journal has schema {}, this program knows up to {}", schema, kSchema),
        "use a newer version of expunge");
  return {};
}

base::Result<ModelIdentity> read_model(sqlite3* db) {
  Statement s = TRY(Statement::make(db, "SELECT file_hash, weights_hash, path FROM model"));
  if (!TRY(s.step()))
    return fail(Code::kCorrupt, "the journal names no model", "restore it from a backup");
  return ModelIdentity{s.text(0), s.text(1), s.text(2)};
}

}  // namespace expunge::journal
