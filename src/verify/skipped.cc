#include "verify/skipped.h"

#include "verify/place.h"

namespace expunge::verify {

std::optional<std::string> over_length(const model::Arch& config, size_t n_tokens) {
  if (n_tokens < static_cast<size_t>(config.context_length)) return std::nullopt;
  return fmt::format("{} tokens, the model's context holds {}", n_tokens, config.context_length);
}

std::string describe(const Skipped& s) {
  const std::string of = s.file.empty() ? "" : " of " + s.file;
  return fmt::format("{} row {}{}: {}", s.set, s.row, of, s.reason);
}

base::Json skipped_to_json(const std::vector<Skipped>& skipped) {
  base::Json list = base::Json::array();
  for (const Skipped& s : skipped)
    list.push_back({{"set", s.set}, {"row", s.row}, {"file", s.file}, {"reason", s.reason}});
  return list;
}

base::Result<std::vector<Skipped>> skipped_from_json(const base::Json& json,
                                                     std::string_view file) {
  const Place place = Place{std::string(file)}.in("skipped");
  if (!json.is_array()) return place.expected("a list", json);
  std::vector<Skipped> skipped;
  for (const base::Json& item : json) {
    TRY(is_object(item, place));
    Skipped s;
    const base::Json& row = *TRY(member(item, "row", place));
    if (!row.is_number_integer() || row.get<int64_t>() < 0)
      return place.in("row").expected("a row number", row);
    s.row = row.get<int64_t>();
    s.set = TRY(text(*TRY(member(item, "set", place)), place.in("set")));
    s.file = TRY(text(*TRY(member(item, "file", place)), place.in("file")));
    s.reason = TRY(text(*TRY(member(item, "reason", place)), place.in("reason")));
    skipped.push_back(std::move(s));
  }
  return skipped;
}

}  // namespace expunge::verify
