#include "journal/factors.h"

namespace expunge::journal {

using base::Statement;

base::Status insert_rest(sqlite3* db, int64_t entry, std::string_view factors) {
  for (size_t at = kPartBytes, part = 1; at < factors.size(); at += kPartBytes, ++part) {
    Statement s = TRY(Statement::make(db, "INSERT INTO parts VALUES (?1, ?2, ?3)", entry,
                                      static_cast<int64_t>(part),
                                      base::Blob{factors.substr(at, kPartBytes)}));
    TRY(s.step());
  }
  return {};
}

base::Result<std::string> read_factors(sqlite3* db, int64_t entry, size_t size) {
  Statement first = TRY(Statement::make(db, "SELECT factors FROM entries WHERE id = ?1", entry));
  if (!TRY(first.step())) return std::string();
  std::string factors = first.text(0);
  if (factors.size() >= size) return factors;
  Statement rest =
      TRY(Statement::make(db, "SELECT bytes FROM parts WHERE entry = ?1 ORDER BY part", entry));
  while (factors.size() < size && TRY(rest.step())) factors += rest.text(0);
  return factors;
}

}  // namespace expunge::journal
