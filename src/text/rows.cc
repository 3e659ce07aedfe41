#include "text/rows.h"

#include "base/files.h"
#include "base/unique_keys.h"

namespace expunge::text {
namespace {

using base::Code;
using base::Result;

class Csv {
 public:
  Csv(std::string_view text, std::string_view file) : text_(text), file_(file) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
  }

  Result<std::vector<CsvRow>> run() {
    std::vector<CsvRow> rows;
    while (at_ < text_.size()) {
      CsvRow row{line_, {}};
      row.fields.push_back(TRY(field()));
      while (next_is(',')) {
        ++at_;
        row.fields.push_back(TRY(field()));
      }
      if (next_is('\n')) ++at_, ++line_;
      if (row.fields.size() > 1 || !row.fields[0].empty()) rows.push_back(std::move(row));
    }
    return rows;
  }

 private:
  bool next_is(char c) const { return at_ < text_.size() && text_[at_] == c; }

  // Stops with at_ at the comma, at the line feed or at the end.
  Result<std::string> field() {
    if (next_is('"')) return quoted();
    const size_t end = std::min(text_.find_first_of(",\n", at_), text_.size());
    std::string value(text_.substr(at_, end - at_));
    at_ = end;
    if (!next_is(',') && value.ends_with('\r')) value.pop_back();
    return value;
  }

  Result<std::string> quoted() {
    const size_t opened = line_;
    std::string value;
    for (++at_;; ++at_) {
      if (at_ == text_.size())
        return base::fail(Code::kInvalid,
                          fmt::format("{}:{}: a quote is opened and not closed", file_, opened));
      if (text_[at_] == '"') {
        ++at_;
        if (!next_is('"')) break;
      }
      if (text_[at_] == '\n') ++line_;
      value += text_[at_];
    }
    if (next_is('\r')) ++at_;
    if (at_ < text_.size() && !next_is(',') && !next_is('\n'))
      return base::fail(
          Code::kInvalid,
          fmt::format("{}:{}: expected a comma or the line's end after a closing quote", file_,
                      line_),
          "a quote within a quoted field is written twice");
    return value;
  }

  std::string_view text_, file_;
  size_t at_ = 0, line_ = 1;
};

}  // namespace

Result<std::vector<CsvRow>> parse_csv(std::string_view text, std::string_view file) {
  return Csv(text, file).run();
}

Result<std::vector<CsvRow>> read_csv(const std::string& path) {
  const std::string text = TRY(base::read_file(path));
  return parse_csv(text, path);
}

Result<std::vector<JsonRow>> read_json_rows(const std::string& path) {
  const std::string text = TRY(base::read_file(path));
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    return base::fail(Code::kInvalid, path + ":1: the text is UTF-16, expected UTF-8",
                      "convert it: iconv -f UTF-16 -t UTF-8");
  std::vector<JsonRow> rows;
  size_t line = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view content = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    ++line;
    if (content.find_first_not_of(" \t\r") == content.npos) continue;
    const std::string where = fmt::format("{}:{}", path, line);
    base::Json json = TRY(base::parse_json(content, where));
    TRY(base::check_unique_keys(content, where));
    rows.push_back({line, std::move(json)});
  }
  return rows;
}

}  // namespace expunge::text
