// The record of what was done to one model: append-only, on SQLite, safe against kill -9.
//
// The state of a model is its file plus the edits that active() lists, in that order; nothing else
// is needed to build it again. Rows are never changed or deleted (triggers refuse it) except
// by sealing, which takes the words out and leaves hashes, figures and factors. Every entry carries
// chain = SHA-256(chain before | own content), computed over hashes of the texts, so that check()
// finds tampering and sealing does not break it.
//
// One Journal is used by one thread at a time; any number of processes may share the file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "edit/edit.h"

struct sqlite3;

namespace expunge::journal {

// Which model the journal is about.
struct ModelIdentity {
  std::string file_hash;     // model::Model::file_hash()
  std::string weights_hash;  // of the unedited model; "" = not compared
  std::string path;          // where it was when the journal was created; information only
};

enum class Kind {
  kEdit,  // adds an edit
  kUndo   // reverts the entry `undoes`
};
std::string_view name(Kind kind);

enum class Seal { kNo, kYes };

// What the caller hands over. The request, plan, report and the edit's provenance may hold what is
// to be forgotten; method and verdict are words ([a-z0-9_-]) and never sealed, as are the report's
// numbers and truth values with their keys.
struct Draft {
  Kind kind = Kind::kEdit;
  base::Json request = base::Json::object();
  base::Json plan = base::Json::object();
  std::string method;
  std::optional<edit::Edit> edit;            // kEdit needs one, kUndo has none
  base::Json report = base::Json::object();  // figures before and after
  std::string verdict;                       // "passed", "partial", …
  std::string weights_hash;                  // of the model after this entry
  uint64_t seed = 0;
  int64_t undoes = 0;  // kUndo: the id of an active entry
};

struct Entry {
  int64_t id = 0;    // 1, 2, 3, …
  std::string time;  // UTC, "2026-01-31T12:00:00.123Z"
  Kind kind = Kind::kEdit;
  base::Json request, plan;  // null if sealed
  std::string method;
  std::string edit_hash;  // SHA-256 of edit::serialise as stored; "" without an edit
  size_t edit_bytes = 0;
  base::Json report;  // sealed: numbers and truth values only
  std::string verdict;
  std::string base_hash;     // file hash of the model
  std::string weights_hash;  // after the entry
  std::string expunge, libtorch;
  int64_t schema = 0;
  uint64_t seed = 0;
  int64_t undoes = 0;
  bool sealed = false;
  // SHA-256(salt | text): whoever guesses a sealed text can confirm the guess, nothing more.
  std::string salt, request_hash, plan_hash;
  std::string chain;
};
base::Json to_json(const Entry& entry);

// How a journal is opened, and what happens if it does not exist. For readers a journal whose
// creation was interrupted does not exist either; writers finish it.
enum class Mode {
  kReadWrite,   // it is created, with its folder
  kUpdate,      // kNotFound; else as kReadWrite
  kReadOnly,    // kNotFound
  kReadOrEmpty  // it reads as an empty journal; nothing is created
};
struct OpenOptions {
  Mode mode = Mode::kReadWrite;
  std::string expunge, libtorch;  // versions recorded with each entry; "" = this build's
  int busy_timeout_ms = 5000;     // how long to wait for another process's transaction
};

// data_dir()/journals/<first 16 digits of the file hash>.db
base::Result<std::string> default_path(const std::string& file_hash);

class Journal {
 public:
  // Errors: kConflict for a journal of another model, kCorrupt, kUnsupported (a newer schema), kIo,
  // kNotFound (see Mode).
  static base::Result<Journal> open(const std::string& path, const ModelIdentity& model,
                                    const OpenOptions& options = {});
  Journal(Journal&&) noexcept;
  Journal& operator=(Journal&&) noexcept;
  ~Journal();

  const std::string& path() const { return path_; }
  const ModelIdentity& model() const { return model_; }  // as recorded when the journal was created

  // Id of the last entry, 0 if there is none.
  base::Result<int64_t> head() const;
  // One durable transaction; once the id is returned the entry survives kill -9 and power cuts.
  // kConflict if the head is no longer `expected_head` (another process appended: load what it
  // added and try again), or if `undoes` names an entry that is not active.
  base::Result<int64_t> append(const Draft& draft, int64_t expected_head, Seal seal = Seal::kNo);

  base::Result<std::vector<Entry>> entries() const;  // in order, without the edits' factors
  base::Result<Entry> entry(int64_t id) const;
  // Edits in effect: not undone. With `up_to` those in effect when that entry was the last one;
  // kNotFound if there is none.
  base::Result<std::vector<Entry>> active(std::optional<int64_t> up_to = {}) const;
  base::Result<edit::Edit> edit(int64_t id) const;
  base::Result<std::vector<edit::Edit>> active_edits(
      std::optional<int64_t> up_to = {}) const;  // for edit::apply

  // Takes the texts of an entry out of the file, its write-ahead log included. kConflict while
  // another process holds the journal open for reading: sealing again finishes the job.
  base::Status seal(int64_t id);

  // chain of the head; of an empty journal a hash of the model's identity.
  base::Result<std::string> chain() const;
  // SQLite's own integrity check, every hash, every chain link. kCorrupt names the entry.
  base::Status check() const;

 private:
  Journal() = default;
  base::Status check_still_there() const;
  base::Status finish_scrub();
  std::string path_;
  ModelIdentity model_;
  OpenOptions options_;
  uint64_t device_ = 0, inode_ = 0;  // of the file when it was opened
  struct Close {
    void operator()(sqlite3* db) const;
  };
  std::unique_ptr<sqlite3, Close> db_;
};

}  // namespace expunge::journal
