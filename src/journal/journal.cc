#include "journal/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

#include "base/files.h"
#include "base/hash.h"
#include "base/version.h"
#include "edit/version.h"
#include "journal/factors.h"
#include "journal/row.h"
#include "journal/schema.h"

namespace expunge::journal {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Database;
using base::fail;
using base::open_database;
using base::Result;
using base::Statement;
using base::Transaction;

tl::unexpected<base::Error> no_journal(const std::string& path) {
  return fail(Code::kNotFound, fmt::format("there is no journal at {}", path),
              "nothing was recorded for this model yet");
}

bool is_missing(const std::string& path) {
  return ::access(path.c_str(), F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

// Reading in write-ahead mode needs to write the index next to the file. In a folder where that is
// impossible, a journal whose log is empty can still be read as a file that does not change.
Result<Database> connect_read_only(const std::string& path) {
  const std::string folder = fs::path(path).parent_path().string();
  const bool can_index =
      ::faccessat(AT_FDCWD, folder.empty() ? "." : folder.c_str(), W_OK, AT_EACCESS) == 0;
  struct stat log {};
  const bool has_log = ::stat((path + "-wal").c_str(), &log) == 0 && log.st_size > 0;
  return open_database(path, SQLITE_OPEN_READONLY, can_index || has_log ? "" : "immutable=1");
}

base::Status check_model(const ModelIdentity& recorded, const ModelIdentity& given,
                         const std::string& path) {
  const bool same = recorded.file_hash == given.file_hash &&
                    (recorded.weights_hash.empty() || given.weights_hash.empty() ||
                     recorded.weights_hash == given.weights_hash);
  if (same) return {};
  return fail(Code::kConflict,
              fmt::format("the journal {} belongs to another model: it was made for {} ({:.16}), "
                          "this is {} ({:.16})",
                          path, recorded.path, recorded.file_hash, given.path, given.file_hash),
              "open it with the model that it was made for, or use another journal");
}

// The journal of a model for which nothing was recorded, in memory.
Result<Database> connect_empty(const ModelIdentity& model) {
  Database db = TRY(open_database(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX));
  TRY(create(db.get(), model));
  return db;
}

Result<Database> connect(const std::string& path, const ModelIdentity& model,
                         const OpenOptions& options) {
  const Mode mode = options.mode;
  if (mode == Mode::kReadWrite) TRY(base::make_secret_file(path));
  const bool missing = is_missing(path);
  if (writes(mode) && !missing)
    return open_database(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX);
  if (!missing) {
    Database db = TRY(connect_read_only(path));
    sqlite3_busy_timeout(db.get(), options.busy_timeout_ms);
    if (TRY_AT(path, is_created(db.get()))) return db;
  }
  if (mode == Mode::kReadOrEmpty) return connect_empty(model);
  return no_journal(path);
}

tl::unexpected<base::Error> no_entry(int64_t id, int64_t head) {
  return fail(Code::kNotFound, fmt::format("there is no entry {}", id),
              head == 0 ? "the journal is empty" : fmt::format("entries go from 1 to {}", head));
}

// All rows in order, or those up to one that must exist.
Result<std::vector<Row>> read_rows(sqlite3* db, std::optional<int64_t> up_to = {}) {
  Statement s =
      TRY(Statement::make(db, fmt::format("SELECT {} FROM entries ORDER BY id", kColumns)));
  std::vector<Row> rows;
  while (TRY(s.step())) rows.push_back(TRY(read_row(s)));
  const int64_t head = rows.empty() ? 0 : rows.back().entry.id;
  if (up_to && (*up_to < 1 || *up_to > head)) return no_entry(*up_to, head);
  if (up_to) std::erase_if(rows, [&](const Row& row) { return row.entry.id > *up_to; });
  return rows;
}

std::set<int64_t> active_ids(const std::vector<Row>& rows) {
  std::set<int64_t> active;
  for (const Row& row : rows) {
    if (row.entry.kind == Kind::kEdit)
      active.insert(row.entry.id);
    else
      active.erase(row.entry.undoes);
  }
  return active;
}

base::Status check_draft(const Draft& d) {
  CHECK((d.kind == Kind::kEdit) == d.edit.has_value(), "an entry of kind {}", name(d.kind));
  CHECK((d.kind == Kind::kUndo) == (d.undoes != 0));
  for (const auto& [what, word] : {std::pair("method", d.method), std::pair("verdict", d.verdict)})
    if (!is_word(word))
      return fail(Code::kInvalid, fmt::format("the {} '{}' is not a word", what, word),
                  "words are made of a-z, 0-9, _ and -");
  return {};
}

// The entry that an undo takes back.
base::Status check_undone(int64_t id, const std::vector<Row>& rows) {
  const int64_t head = rows.empty() ? 0 : rows.back().entry.id;
  if (id < 1 || id > head) return no_entry(id, head);
  if (const Kind kind = rows[static_cast<size_t>(id - 1)].entry.kind; kind != Kind::kEdit)
    return fail(Code::kConflict,
                fmt::format("entry {} is of kind {} and holds no edit", id, name(kind)),
                "only edits can be undone");
  for (const Row& other : rows)
    if (other.entry.kind == Kind::kUndo && other.entry.undoes == id)
      return fail(Code::kConflict,
                  fmt::format("entry {} was undone by entry {}", id, other.entry.id));
  return {};
}

Result<std::string> factors_of(const Draft& draft) {
  if (!draft.edit) return std::string();
  edit::Edit bare = *draft.edit;  // the provenance has a separate column, which sealing can empty
  bare.provenance = base::Json::object();
  return edit::serialise(bare);
}

Row make_row(const Draft& d, const ModelIdentity& model, const OpenOptions& options,
             std::string_view factors, std::string salt) {
  Row row;
  Entry& e = row.entry;
  e.kind = d.kind;
  e.method = d.method;
  e.verdict = d.verdict;
  e.base_hash = model.file_hash;
  e.weights_hash = d.weights_hash;
  e.expunge = options.expunge;
  e.libtorch = options.libtorch;
  e.schema = kSchema;
  e.seed = d.seed;
  e.undoes = d.undoes;
  e.salt = std::move(salt);
  e.edit_hash = factors.empty() ? "" : base::sha256_hex(factors);
  e.edit_bytes = factors.size();
  const base::Json provenance = d.edit ? d.edit->provenance : base::Json::object();
  row.report_figures = base::dump_json(figures_of(d.report));
  row.provenance_figures = base::dump_json(figures_of(provenance));
  const base::Json* sources[kTexts] = {&d.request, &d.plan, &d.report, &provenance};
  for (size_t i = 0; i < kTexts; ++i) {
    row.texts[i] = base::dump_json(*sources[i]);
    row.hashes[i] = salted(e.salt, *row.texts[i]);
  }
  return row;
}

}  // namespace

void Journal::Close::operator()(sqlite3* db) const { sqlite3_close_v2(db); }
Journal::Journal(Journal&&) noexcept = default;
Journal& Journal::operator=(Journal&&) noexcept = default;
Journal::~Journal() = default;

Result<std::string> default_path(const std::string& file_hash) {
  return TRY(base::data_dir()) + "/journals/" + file_hash.substr(0, 16) + ".db";
}

Result<Journal> Journal::open(const std::string& path, const ModelIdentity& model,
                              const OpenOptions& options) {
  Journal journal;
  journal.path_ = path;
  journal.options_ = options;
  if (journal.options_.expunge.empty()) journal.options_.expunge = base::kVersion;
  if (journal.options_.libtorch.empty()) journal.options_.libtorch = edit::libtorch_version();
  const bool writing = writes(options.mode);
  journal.db_.reset(TRY(connect(path, model, options)).release());
  sqlite3* db = journal.db_.get();
  if (writing && sqlite3_db_readonly(db, "main") == 1)
    return fail(Code::kIo, fmt::format("the journal {} is read-only", path),
                "check the permissions, or set EXPUNGE_HOME to a folder that can be written");
  TRY_AT(path, configure(db, journal.options_));
  if (writing) TRY_AT(path, create(db, model));
  TRY_AT(path, check_format(db, path));
  journal.model_ = TRY_AT(path, read_model(db));
  TRY(check_model(journal.model_, model, path));
  if (writing) base::keep_secret(path);
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) {
    journal.device_ = info.st_dev;
    journal.inode_ = info.st_ino;
  }
  if (writing) TRY_AT(path, journal.finish_scrub());
  return journal;
}

Result<int64_t> Journal::head() const {
  Statement s = TRY(Statement::make(db_.get(), "SELECT COALESCE(MAX(id), 0) FROM entries"));
  TRY(s.step());
  return s.integer(0);
}

// SQLite would continue writing to a file that is no longer reachable by its name.
base::Status Journal::check_still_there() const {
  struct stat info {};
  if (::stat(path_.c_str(), &info) == 0 && info.st_dev == device_ && info.st_ino == inode_)
    return {};
  return fail(Code::kIo, fmt::format("the journal {} was moved or deleted while in use", path_),
              "put it back and start again; nothing was recorded");
}

Result<int64_t> Journal::append(const Draft& draft, int64_t expected_head, Seal seal) {
  TRY(check_draft(draft));
  if (!writes(options_.mode))
    return fail(Code::kIo, fmt::format("the journal {} was opened for reading", path_));
  TRY(check_still_there());
  const std::string factors = TRY(factors_of(draft));
  Row row = make_row(draft, model_, options_, factors, TRY(random_salt()));
  if (seal == Seal::kYes) {
    row.entry.sealed = true;
    row.texts = {};
  }
  Transaction transaction = TRY(Transaction::begin(db_.get()));
  const int64_t head = TRY(this->head());
  if (head != expected_head)
    return fail(Code::kConflict,
                fmt::format("another process has added to the journal: its last entry is {}, "
                            "expected {}",
                            head, expected_head),
                "load what was added and try again");
  if (draft.kind == Kind::kUndo) TRY(check_undone(draft.undoes, TRY(read_rows(db_.get()))));
  row.entry.id = head + 1;
  row.entry.time = utc_now();
  row.entry.chain = chain_after(TRY(chain()), row);
  TRY(insert(db_.get(), row, first_part(factors)));
  TRY(insert_rest(db_.get(), row.entry.id, factors));
  TRY(transaction.commit());
  return row.entry.id;
}

Result<std::vector<Entry>> Journal::entries() const {
  std::vector<Entry> entries;
  for (Row& row : TRY(read_rows(db_.get()))) entries.push_back(TRY(entry_of(std::move(row))));
  return entries;
}

Result<Entry> Journal::entry(int64_t id) const {
  Statement s = TRY(Statement::make(
      db_.get(), fmt::format("SELECT {} FROM entries WHERE id = ?1", kColumns), id));
  if (!TRY(s.step())) return no_entry(id, TRY(head()));
  return entry_of(TRY(read_row(s)));
}

Result<std::vector<Entry>> Journal::active(std::optional<int64_t> up_to) const {
  std::vector<Row> rows = TRY(read_rows(db_.get(), up_to));
  const std::set<int64_t> ids = active_ids(rows);
  std::vector<Entry> entries;
  for (Row& row : rows)
    if (ids.contains(row.entry.id)) entries.push_back(TRY(entry_of(std::move(row))));
  return entries;
}

Result<edit::Edit> Journal::edit(int64_t id) const {
  Statement s = TRY(Statement::make(
      db_.get(),
      "SELECT edit_bytes, COALESCE(provenance, provenance_figures), edit_hash FROM entries "
      "WHERE id = ?1",
      id));
  if (!TRY(s.step())) return no_entry(id, TRY(head()));
  const std::string factors = TRY(read_factors(db_.get(), id, static_cast<size_t>(s.integer(0))));
  if (factors.empty()) return fail(Code::kNotFound, fmt::format("entry {} holds no edit", id));
  if (base::sha256_hex(factors) != s.text(2))
    return fail(Code::kCorrupt, fmt::format("entry {}: the factors were changed", id),
                "the journal is damaged: restore it from a backup");
  const std::string where = fmt::format("entry {}", id);
  base::Json provenance = TRY(base::parse_json(s.text(1), where));
  return TRY_AT(where, edit::deserialise(factors, std::move(provenance)));
}

Result<std::vector<edit::Edit>> Journal::active_edits(std::optional<int64_t> up_to) const {
  std::vector<edit::Edit> edits;
  for (const int64_t id : active_ids(TRY(read_rows(db_.get(), up_to))))
    edits.push_back(TRY(edit(id)));
  return edits;
}

Result<std::string> Journal::chain() const {
  Statement s =
      TRY(Statement::make(db_.get(), "SELECT chain FROM entries ORDER BY id DESC LIMIT 1"));
  return TRY(s.step()) ? s.text(0) : chain_start(model_);
}

}  // namespace expunge::journal
