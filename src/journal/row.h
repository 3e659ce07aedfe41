// A journal row as stored, its hashes, and what sealing leaves of it.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "base/sqlite.h"
#include "journal/journal.h"

namespace expunge::journal {

// The four texts that may hold what is to be forgotten. Sealed: the first two are NULL, the others
// are reduced to figures.
enum Text { kRequest, kPlan, kReport, kProvenance };
constexpr size_t kTexts = 4;

struct Row {
  Entry entry;  // request, plan and report unset; edit_bytes set
  std::array<std::optional<std::string>, kTexts> texts;
  std::array<std::string, kTexts> hashes;          // SHA-256(salt | text), of the unsealed text
  std::string report_figures, provenance_figures;  // what sealing leaves; hashed into the chain
};

// Numbers, truth values and their keys; of strings only short words under "name" and "sense".
base::Json figures_of(const base::Json& json);
bool is_word(std::string_view text);  // [a-z0-9_-], at most 64
std::string salted(const std::string& salt, std::string_view text);
base::Result<std::string> random_salt();
std::string utc_now();

// The content of an entry, texts by their hashes, and its link to the chain before.
std::string chain_after(const std::string& before, const Row& row);
// `before` of the first entry.
std::string chain_start(const ModelIdentity& model);

// Texts and figures agree with the stored hashes; kCorrupt names those that do not.
base::Status check_texts(const Row& row);

// The columns, in the order in which read_row and insert expect them.
extern const char* const kColumns;
base::Result<Row> read_row(const base::Statement& row);
base::Status insert(sqlite3* db, const Row& row, std::string_view factors);
// With the texts parsed.
base::Result<Entry> entry_of(Row row);

}  // namespace expunge::journal
