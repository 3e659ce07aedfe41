#include "guard/store.h"

#include <sys/stat.h>

#include <mutex>

#include "base/files.h"
#include "base/sqlite.h"

namespace expunge::guard {

using base::Code;
using base::Database;
using base::fail;
using base::query_integer;
using base::Result;
using base::run_sql;
using base::Statement;
using base::Status;
using base::Transaction;

namespace {

constexpr int64_t kApplicationId = 0x45585054;  // "EXPT"
constexpr int64_t kSchema = 1;
constexpr int kBusyTimeout_ms = 5000;

// Ids are not used again: a client that removes one twice removes nothing else.
constexpr const char* kTables = R"sql(
CREATE TABLE targets (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE COLLATE NOCASE,
  aliases TEXT NOT NULL, mode TEXT NOT NULL, scope TEXT NOT NULL, expires TEXT NOT NULL);
CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL);
INSERT INTO state VALUES (1, 1);
)sql";

// Creates the tables unless another process already has.
Status create(sqlite3* db) {
  constexpr const char* kCount = "SELECT COUNT(*) FROM sqlite_master";
  if (TRY(query_integer(db, kCount)) > 0) return {};
  Transaction transaction = TRY(Transaction::begin(db));
  if (TRY(query_integer(db, kCount)) > 0) return {};
  const std::string identity =
      fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kApplicationId, kSchema);
  TRY(run_sql(db, kTables, "create the list of targets"));
  TRY(run_sql(db, identity.c_str(), "create the list of targets"));
  return transaction.commit();
}

Status check_format(sqlite3* db, const std::string& path) {
  if (TRY(query_integer(db, "PRAGMA application_id")) != kApplicationId)
    return fail(Code::kCorrupt, fmt::format("{} is not a list of targets of expunge", path),
                "give another path, or move the file away");
  if (const int64_t schema = TRY(query_integer(db, "PRAGMA user_version")); schema > kSchema)
    return fail(Code::kUnsupported,
                fmt::format("{} has schema {}, this program knows up to {}", path, schema, kSchema),
                "use a newer version of expunge");
  return {};
}

// A row of "id, name, aliases, mode, scope, expires", as strict as what came in.
Result<Target> read_row(const Statement& row) {
  base::Json json = {{"name", row.text(1)},
                     {"mode", row.text(3)},
                     {"scope", row.text(4)},
                     {"expires", row.text(5)}};
  auto aliases = base::parse_json(row.text(2), "aliases");
  if (aliases) json["aliases"] = *std::move(aliases);
  auto target = aliases ? target_from_json(json) : tl::unexpected(std::move(aliases.error()));
  if (!target)
    return fail(
        Code::kCorrupt,
        fmt::format("target {} was changed by hand: {}", row.integer(0), target.error().message),
        "restore the file from a backup, or remove the target");
  target->id = row.integer(0);
  return target;
}

// Not an upsert, which uses up an id where it replaces.
Result<int64_t> put(sqlite3* db, const Target& target) {
  const std::string aliases = base::dump_json(target.aliases);
  for (const char* sql :
       {"UPDATE targets SET name = ?1, aliases = ?2, mode = ?3, scope = ?4, expires = ?5 "
        "WHERE name = ?1 RETURNING id",
        "INSERT INTO targets (name, aliases, mode, scope, expires) VALUES (?1, ?2, ?3, ?4, ?5) "
        "RETURNING id"}) {
    Statement s = TRY(Statement::make(
        db, sql, std::string_view(target.name), std::string_view(aliases), name(target.mode),
        std::string_view(target.scope), std::string_view(target.expires)));
    if (!TRY(s.step())) continue;
    const int64_t id = s.integer(0);
    TRY(s.step());  // or the commit would meet a statement that still runs
    return id;
  }
  return fail(Code::kInternal, "a target was neither replaced nor added");
}

Status commit_change(sqlite3* db, Transaction transaction) {
  TRY(run_sql(db, "UPDATE state SET version = version + 1", "change the list of targets"));
  return transaction.commit();
}

}  // namespace

struct Store::Handle {
  std::string path;
  Database db;
  struct stat info = {};
  mutable std::mutex mutex;  // a transaction belongs to one thread

  // The connection, unless its file is no longer what the path names: SQLite would go on with a
  // file that other processes no longer see.
  Result<sqlite3*> connection() const {
    struct stat now {};
    if (::stat(path.c_str(), &now) == 0 && now.st_dev == info.st_dev && now.st_ino == info.st_ino)
      return db.get();
    return fail(Code::kIo, fmt::format("{} was moved or deleted while in use", path),
                "put it back, or start again");
  }
};

Result<std::string> default_path() { return TRY(base::data_dir()) + "/guard.db"; }

Store::Store(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Result<Store> Store::open(const std::string& path) {
  TRY(base::make_secret_file(path));
  auto handle = std::make_unique<Handle>();
  handle->path = path;
  handle->db = TRY(base::open_database(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX));
  sqlite3* db = handle->db.get();
  if (sqlite3_db_readonly(db, "main") == 1)
    return fail(Code::kIo, fmt::format("{} is read-only", path),
                "check the permissions, or set EXPUNGE_HOME to a folder that can be written");
  base::keep_secret(path);
  sqlite3_busy_timeout(db, kBusyTimeout_ms);
  TRY_AT(path, base::use_wal(db, kBusyTimeout_ms));
  TRY_AT(path, run_sql(db, "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON",
                       "open the list of targets"));
  TRY_AT(path, create(db));
  TRY(check_format(db, path));
  if (::stat(path.c_str(), &handle->info) != 0)
    return fail(Code::kIo, fmt::format("{} was deleted while it was opened", path), "try again");
  return Store(std::move(handle));
}

Result<std::vector<Target>> Store::list() const {
  const std::lock_guard lock(handle_->mutex);
  Statement s = TRY(Statement::make(TRY(handle_->connection()),
                                    "SELECT id, name, aliases, mode, scope, expires FROM targets "
                                    "ORDER BY id"));
  std::vector<Target> targets;
  while (TRY(s.step())) targets.push_back(TRY(read_row(s)));
  return targets;
}

Result<int64_t> Store::add(const Target& target) {
  const std::lock_guard lock(handle_->mutex);
  sqlite3* db = TRY(handle_->connection());
  Transaction transaction = TRY(Transaction::begin(db));
  const int64_t id = TRY(put(db, target));
  TRY(commit_change(db, std::move(transaction)));
  return id;
}

Result<size_t> Store::import(const std::vector<Target>& targets) {
  const std::lock_guard lock(handle_->mutex);
  sqlite3* db = TRY(handle_->connection());
  Transaction transaction = TRY(Transaction::begin(db));
  for (const Target& target : targets) TRY(put(db, target));
  TRY(commit_change(db, std::move(transaction)));
  return targets.size();
}

Result<Target> Store::remove(int64_t id) {
  const std::lock_guard lock(handle_->mutex);
  sqlite3* db = TRY(handle_->connection());
  Transaction transaction = TRY(Transaction::begin(db));
  Target target;
  {
    Statement s = TRY(Statement::make(db,
                                      "DELETE FROM targets WHERE id = ?1 RETURNING id, name, "
                                      "aliases, mode, scope, expires",
                                      id));
    if (!TRY(s.step()))
      return fail(Code::kNotFound, fmt::format("there is no target {}", id),
                  "'expunge guard list' shows them");
    // One that was changed by hand can be removed all the same.
    target = read_row(s).value_or(Target{.id = id, .name = s.text(1)});
    TRY(s.step());
  }
  TRY(commit_change(db, std::move(transaction)));
  return target;
}

Result<int64_t> Store::version() const {
  const std::lock_guard lock(handle_->mutex);
  return query_integer(TRY(handle_->connection()), "SELECT version FROM state");
}

}  // namespace expunge::guard
