#include "text/sequence_set.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/files.h"
#include "text/rows.h"
#include "text/trim.h"

namespace expunge::text {
namespace {

using base::Code;
using base::Result;

tl::unexpected<base::Error> bad_array(const std::string& path, std::string_view what) {
  return base::fail(
      Code::kInvalid, fmt::format("{}: {}", path, what),
      "expected a NumPy array of integers with two dimensions, as numpy.save writes it");
}

struct Array {
  size_t rows = 0, columns = 0, width = 0;  // bytes a number
  bool is_signed = false;
  std::string_view bytes;
  // Little-endian; -1 for what is not a token id: negative or above int32.
  int32_t at(size_t i) const {
    uint64_t value = 0;
    for (size_t b = 0; b < width; ++b)
      value |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i * width + b])) << (8 * b);
    const bool negative = is_signed && (value >> (8 * width - 1)) != 0;
    return negative || value > std::numeric_limits<int32_t>::max() ? -1
                                                                   : static_cast<int32_t>(value);
  }
};

// Reads what a header must contain next.
bool take(std::string_view& header, std::string_view expected) {
  if (!header.starts_with(expected)) return false;
  header.remove_prefix(expected.size());
  return true;
}
std::optional<char> take_one_of(std::string_view& header, std::string_view choices) {
  if (header.empty() || choices.find(header[0]) == choices.npos) return std::nullopt;
  const char taken = header[0];
  header.remove_prefix(1);
  return taken;
}
std::optional<size_t> take_number(std::string_view& header, size_t most_digits) {
  size_t value = 0, digits = 0;
  while (const auto digit = take_one_of(header, "0123456789")) {
    if (++digits > most_digits) return std::nullopt;
    value = 10 * value + static_cast<size_t>(*digit - '0');
  }
  return digits > 0 ? std::optional(value) : std::nullopt;
}

// {'descr': '<u2', 'fortran_order': False, 'shape': (2, 3), } and blanks; nothing for other text.
std::optional<Array> declared_by(std::string_view header) {
  Array array;
  if (!take(header, "{'descr': '") || !take_one_of(header, "<|")) return std::nullopt;
  const auto kind = take_one_of(header, "iu"), width = take_one_of(header, "1248");
  if (!kind || !width || !take(header, "', 'fortran_order': False, 'shape': ("))
    return std::nullopt;
  const auto rows = take_number(header, 12);
  if (!rows || !take(header, ", ")) return std::nullopt;
  const auto columns = take_number(header, 6);
  if (!columns || !take(header, "), }") || !trimmed(header).empty()) return std::nullopt;
  array.is_signed = *kind == 'i';
  array.width = static_cast<size_t>(*width - '0');
  array.rows = *rows;
  array.columns = *columns;
  return array;
}

// numpy/lib/format.py: magic, version, header length, a Python dictionary, the numbers.
Result<Array> array_of(std::string_view file, const std::string& path) {
  constexpr std::string_view kMagic = "\x93NUMPY";
  if (!file.starts_with(kMagic) || file.size() < 12 || file[6] < 1 || file[6] > 3)
    return bad_array(path, "not a NumPy array");
  const size_t begin = file[6] == 1 ? 10 : 12;
  size_t length = 0;
  for (size_t b = 8; b < begin; ++b)
    length |= static_cast<size_t>(static_cast<unsigned char>(file[b])) << (8 * (b - 8));
  if (length > std::min<size_t>(file.size() - begin, 4096))
    return bad_array(path, "its header is cut off");
  const std::string_view header = file.substr(begin, length);
  std::optional<Array> declared = declared_by(header);
  if (!declared)
    return bad_array(path, fmt::format("its header is {}", header.substr(0, header.find('\n'))));
  Array array = *declared;
  array.bytes = file.substr(begin + length);
  if (array.bytes.size() != array.rows * array.columns * array.width)
    return bad_array(path, fmt::format("{} bytes of numbers, expected {} x {} x {}",
                                       array.bytes.size(), array.rows, array.columns, array.width));
  return array;
}

}  // namespace

Result<std::vector<std::string>> read_texts(const std::string& path, size_t limit) {
  std::vector<std::string> texts;
  const auto add = [&](std::string text, size_t line) -> base::Status {
    if (text.empty())
      return base::fail(Code::kInvalid, fmt::format("{}:{}: the text is empty", path, line));
    texts.push_back(std::move(text));
    return {};
  };
  const auto full = [&] { return limit > 0 && texts.size() == limit; };
  if (path.ends_with(".csv")) {
    const std::vector<CsvRow> rows = TRY(read_csv(path));
    const auto no_row = rows.empty() ? std::vector<std::string>() : rows[0].fields;
    const auto column = static_cast<size_t>(std::ranges::find(no_row, "text") - no_row.begin());
    if (column == no_row.size())
      return base::fail(Code::kInvalid, path + ": its first row names no column 'text'",
                        "a table of offsets into another corpus holds no text");
    for (size_t r = 1; r < rows.size() && !full(); ++r) {
      if (rows[r].fields.size() != no_row.size())
        return base::fail(Code::kInvalid,
                          fmt::format("{}:{}: {} columns, the first row has {}", path, rows[r].line,
                                      rows[r].fields.size(), no_row.size()));
      TRY(add(rows[r].fields[column], rows[r].line));
    }
  } else {
    for (const JsonRow& row : TRY(read_json_rows(path))) {
      if (full()) break;
      const bool sound =
          row.json.is_object() && row.json.contains("text") && row.json["text"].is_string();
      if (!sound)
        return base::fail(Code::kInvalid,
                          fmt::format("{}:{}: 'text' must be a text", path, row.line),
                          R"(a line is {"text": "…"})");
      TRY(add(row.json["text"].get<std::string>(), row.line));
    }
  }
  if (texts.empty()) return base::fail(Code::kInvalid, path + " holds no text");
  return texts;
}

Result<std::vector<std::vector<int32_t>>> read_token_ids(std::span<const std::string> paths,
                                                         size_t limit) {
  std::vector<std::vector<int32_t>> sequences;
  for (const std::string& path : paths) {
    const std::string file = TRY(base::read_file(path));
    const Array array = TRY(array_of(file, path));
    const size_t n = limit > 0 ? std::min(limit, array.rows) : array.rows;
    if (n == 0) return bad_array(path, "it has no rows");
    if (sequences.empty()) sequences.resize(n);
    if (sequences.size() != n)
      return bad_array(path, fmt::format("{} rows, {} has {}", n, paths[0], sequences.size()));
    for (size_t r = 0; r < n; ++r)
      for (size_t c = 0; c < array.columns; ++c) {
        const int32_t id = array.at(r * array.columns + c);
        if (id < 0) return bad_array(path, fmt::format("row {} column {} is not a token id", r, c));
        sequences[r].push_back(id);
      }
  }
  return sequences;
}

}  // namespace expunge::text
