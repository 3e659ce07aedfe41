#include "journal/row.h"

#include <sys/random.h>

#include <algorithm>
#include <chrono>
#include <ctime>

#include "base/hash.h"

namespace expunge::journal {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Statement;

constexpr const char* kHint =
    "the journal is damaged or was changed by hand: restore it from a backup";
constexpr std::array<std::string_view, kTexts> kTextNames = {"request", "plan", "report",
                                                             "provenance"};
// Of a column that every row has and the chain covers: no entry takes the place of others.
constexpr const char* kReplaces = "[]";

Result<Kind> kind_from_name(int64_t id, const std::string& text) {
  for (const Kind kind : {Kind::kEdit, Kind::kUndo})
    if (name(kind) == text) return kind;
  return fail(Code::kCorrupt,
              fmt::format("entry {} is of kind '{}', expected edit or undo", id, text), kHint);
}

bool is_key(std::string_view key) {
  return !key.empty() && key.size() <= 64 && std::ranges::all_of(key, [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-' || c == '.' || c == '/';
  });
}

}  // namespace

std::string_view name(Kind kind) { return kind == Kind::kEdit ? "edit" : "undo"; }

bool is_word(std::string_view text) {
  return text.size() <= 64 && std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
         });
}

Json figures_of(const Json& json) {
  if (json.is_object()) {
    Json result = Json::object();
    for (const auto& [key, value] : json.items()) {
      if (!is_key(key)) continue;
      if (!value.is_string())
        result[key] = figures_of(value);
      else if ((key == "name" || key == "sense") && is_word(value.get<std::string>()))
        result[key] = value;
    }
    return result;
  }
  if (json.is_array()) {
    Json result = Json::array();
    for (const Json& value : json)
      if (!value.is_string()) result.push_back(figures_of(value));
    return result;
  }
  return json.is_number() || json.is_boolean() ? json : Json();
}

std::string salted(const std::string& salt, std::string_view text) {
  base::Sha256 hash;
  hash.update(salt);
  hash.update(text);
  return hash.hex();
}

Result<std::string> random_salt() {
  std::array<unsigned char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return fail(Code::kIo, "the system gives no random bytes");
  std::string text;
  for (const unsigned char c : bytes) text += fmt::format("{:02x}", c);
  return text;
}

std::string utc_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const std::time_t seconds = ms / 1000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, ms % 1000);
}

std::string chain_start(const ModelIdentity& model) {
  return base::sha256_hex("expunge-journal-1\n" + model.file_hash);
}

std::string chain_after(const std::string& before, const Row& row) {
  const Entry& e = row.entry;
  Json content = {before,
                  e.id,
                  e.time,
                  name(e.kind),
                  e.method,
                  e.edit_hash,
                  e.edit_bytes,
                  e.verdict,
                  e.base_hash,
                  e.weights_hash,
                  e.expunge,
                  e.libtorch,
                  e.schema,
                  e.seed,
                  e.undoes,
                  Json::array(),  // of kReplaces
                  e.salt,
                  row.report_figures,
                  row.provenance_figures};
  for (const std::string& hash : row.hashes) content.push_back(hash);
  return base::sha256_hex(base::dump_json(content));
}

base::Status check_texts(const Row& row) {
  const auto bad = [&](std::string_view what) {
    return fail(Code::kCorrupt, fmt::format("entry {}: the {} was changed", row.entry.id, what),
                kHint);
  };
  for (size_t i = 0; i < kTexts; ++i) {
    if (row.entry.sealed) {
      if (row.texts[i]) return bad(kTextNames[i]);
    } else if (!row.texts[i] || salted(row.entry.salt, *row.texts[i]) != row.hashes[i]) {
      return bad(kTextNames[i]);
    }
  }
  return {};
}

const char* const kColumns =
    "id, time, kind, method, verdict, base_hash, weights_hash, expunge, libtorch, schema, seed, "
    "undoes, replaces, sealed, salt, request, plan, report, provenance, request_hash, plan_hash, "
    "report_hash, provenance_hash, report_figures, provenance_figures, edit_hash, edit_bytes, "
    "chain";

Result<Row> read_row(const Statement& s) {
  Row row;
  Entry& e = row.entry;
  int c = 0;
  e.id = s.integer(c++);
  e.time = s.text(c++);
  e.kind = TRY(kind_from_name(e.id, s.text(c++)));
  e.method = s.text(c++);
  e.verdict = s.text(c++);
  e.base_hash = s.text(c++);
  e.weights_hash = s.text(c++);
  e.expunge = s.text(c++);
  e.libtorch = s.text(c++);
  e.schema = s.integer(c++);
  e.seed = static_cast<uint64_t>(s.integer(c++));
  e.undoes = s.integer(c++);
  if (const std::string replaced = s.text(c++); replaced != kReplaces)
    return fail(Code::kCorrupt,
                fmt::format("entry {} replaces the entries {}, expected none", e.id, replaced),
                kHint);
  e.sealed = s.integer(c++) != 0;
  e.salt = s.text(c++);
  for (auto& text : row.texts) {
    if (!s.is_null(c)) text = s.text(c);
    ++c;
  }
  for (auto& hash : row.hashes) hash = s.text(c++);
  row.report_figures = s.text(c++);
  row.provenance_figures = s.text(c++);
  e.edit_hash = s.text(c++);
  e.edit_bytes = static_cast<size_t>(s.integer(c++));
  e.chain = s.text(c++);
  e.request_hash = row.hashes[kRequest];
  e.plan_hash = row.hashes[kPlan];
  return row;
}

base::Status insert(sqlite3* db, const Row& row, std::string_view factors) {
  const Entry& e = row.entry;
  std::string marks = "?1";
  for (int i = 2; i <= 29; ++i) marks += fmt::format(", ?{}", i);
  const std::string sql =
      fmt::format("INSERT INTO entries ({}, factors) VALUES ({})", kColumns, marks);
  // A missing text is bound as a null pointer, which is SQL's NULL.
  const auto text = [&](Text t) {
    return row.texts[t] ? std::string_view(*row.texts[t]) : std::string_view();
  };
  Statement s = TRY(
      Statement::make(db, sql, e.id, e.time, name(e.kind), e.method, e.verdict, e.base_hash,
                      e.weights_hash, e.expunge, e.libtorch, e.schema, static_cast<int64_t>(e.seed),
                      e.undoes, kReplaces, int64_t{e.sealed}, e.salt, text(kRequest), text(kPlan),
                      text(kReport), text(kProvenance), row.hashes[0], row.hashes[1], row.hashes[2],
                      row.hashes[3], row.report_figures, row.provenance_figures, e.edit_hash,
                      static_cast<int64_t>(e.edit_bytes), e.chain, base::Blob{factors}));
  TRY(s.step());
  return {};
}

Result<Entry> entry_of(Row row) {
  const auto parse = [&](const std::optional<std::string>& text, Text which) -> Result<Json> {
    if (!text) return Json();
    return base::parse_json(*text, fmt::format("entry {}'s {}", row.entry.id, kTextNames[which]));
  };
  row.entry.request = TRY(parse(row.texts[kRequest], kRequest));
  row.entry.plan = TRY(parse(row.texts[kPlan], kPlan));
  row.entry.report =
      TRY(parse(row.entry.sealed ? row.report_figures : row.texts[kReport], kReport));
  return std::move(row.entry);
}

Json to_json(const Entry& e) {
  Json json = {
      {"id", e.id},
      {"time", e.time},
      {"kind", name(e.kind)},
      {"sealed", e.sealed},
      {"request", e.request},
      {"plan", e.plan},
      {"method", e.method},
      {"verdict", e.verdict},
      {"report", e.report},
      {"edit", {{"sha256", e.edit_hash}, {"bytes", e.edit_bytes}}},
      {"base_hash", e.base_hash},
      {"weights_hash", e.weights_hash},
      {"versions", {{"expunge", e.expunge}, {"schema", e.schema}, {"libtorch", e.libtorch}}},
      {"seed", e.seed},
      {"salt", e.salt},
      {"request_hash", e.request_hash},
      {"plan_hash", e.plan_hash},
      {"chain", e.chain}};
  if (e.kind == Kind::kUndo) json["undoes"] = e.undoes;
  return json;
}

}  // namespace expunge::journal
