// Checked reading of JSON from outside, for the sources of this room: each Error names the place.
#pragma once

#include <charconv>
#include <cmath>
#include <string>
#include <string_view>

#include "base/json.h"

namespace expunge::verify {

// A place in a file, for errors: "logs.json: forget: row 3: avg_loss".
struct Place {
  std::string text;
  Place in(std::string_view key) const { return {fmt::format("{}: {}", text, key)}; }
  Place row(std::string_view number) const { return {fmt::format("{}: row {}", text, number)}; }
  tl::unexpected<base::Error> expected(std::string_view what, const base::Json& got) const {
    std::string shown = base::dump_json(got);
    if (shown.size() > 40) shown = fmt::format("{} of {} items", got.type_name(), got.size());
    return base::fail(base::Code::kInvalid,
                      fmt::format("{}: expected {}, got {}", text, what, shown));
  }
};

inline base::Result<double> number(const base::Json& j, const Place& place) {
  if (!j.is_number() || !std::isfinite(j.get<double>())) return place.expected("a number", j);
  return j.get<double>();
}

inline base::Result<double> fraction(const base::Json& j, const Place& place) {
  const double value = TRY(number(j, place));
  if (value < 0 || value > 1) return place.expected("a number in [0, 1]", j);
  return value;
}

inline base::Result<int64_t> count(const base::Json& j, const Place& place) {
  if (!j.is_number_integer() || j.get<int64_t>() < 1)
    return place.expected("a whole number > 0", j);
  return j.get<int64_t>();
}

inline base::Result<std::string> text(const base::Json& j, const Place& place) {
  if (!j.is_string()) return place.expected("a text", j);
  return j.get<std::string>();
}

inline base::Status is_object(const base::Json& j, const Place& place) {
  if (j.is_object()) return {};
  return place.expected("an object", j);
}

inline base::Result<int64_t> row_number(const std::string& key, const Place& place) {
  int64_t row = -1;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), row);
  if (error != std::errc{} || row < 0 || std::to_string(row) != key)
    return place.expected("a row number as key", key);
  return row;
}

inline base::Result<const base::Json*> member(const base::Json& j, std::string_view key,
                                              const Place& place) {
  const auto found = j.find(key);
  if (found == j.end())
    return base::fail(base::Code::kInvalid, place.text + ": '" + std::string(key) + "' is missing");
  return &*found;
}

}  // namespace expunge::verify
