#include "base/toml.h"

#include <algorithm>
#include <charconv>

namespace expunge::base {
namespace {

bool is_bare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

class Reader {
 public:
  Reader(std::string_view text, std::string_view what) : text_(text), what_(what) {}

  Result<std::vector<TomlTable>> run() {
    tables_.emplace_back();
    for (skip_lines(); at_ < text_.size(); skip_lines()) {
      if (peek() == '[')
        TRY(table());
      else
        TRY(value());
      TRY(end_of_line());
    }
    return std::move(tables_);
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    line_ += c == '\n';
    return true;
  }
  tl::unexpected<Error> wrong(std::string_view message, std::string hint = {}) const {
    return fail(Code::kInvalid, fmt::format("{}:{}: {}", what_, line_, message), std::move(hint));
  }

  void skip_blanks() {
    while (take(' ') || take('\t')) {
    }
  }
  void skip_comment() {
    if (peek() == '#')
      while (at_ < text_.size() && peek() != '\n') ++at_;
  }
  void skip_lines() {
    do {
      skip_blanks();
      skip_comment();
    } while (take('\r') || take('\n'));
  }
  Status end_of_line() {
    skip_blanks();
    skip_comment();
    take('\r');
    if (at_ >= text_.size() || take('\n')) return {};
    return wrong("something follows the value", "one key a line; a # begins a comment");
  }

  Result<std::string> key() {
    if (peek() == '"' || peek() == '\'') return quoted();
    const size_t begin = at_;
    while (is_bare(peek())) ++at_;
    if (at_ == begin) return wrong("expected a key", "key = value");
    return std::string(text_.substr(begin, at_ - begin));
  }

  Status table() {
    take('[');
    if (peek() == '[') return wrong("lists of tables [[…]] are not read here");
    TomlTable table{"", line_, {}};
    do {
      skip_blanks();
      table.name += (table.name.empty() ? "" : ".") + TRY(key());
      skip_blanks();
    } while (take('.'));
    if (!take(']')) return wrong("expected ] after the name of a table");
    if (std::ranges::count(tables_, table.name, &TomlTable::name) > 0)
      return wrong(fmt::format("the table [{}] is given twice", table.name));
    tables_.push_back(std::move(table));
    return {};
  }

  Status value() {
    TomlValue value;
    value.line = line_;
    value.key = TRY(key());
    skip_blanks();
    if (peek() == '.') return wrong("dotted keys are not read here", "use a [table]");
    if (!take('=')) return wrong(fmt::format("expected = after '{}'", value.key), "key = value");
    skip_blanks();
    if (peek() == '{') return wrong("inline tables {…} are not read here", "use a [table]");
    value.is_list = take('[');
    if (value.is_list)
      TRY(list(value.values));
    else
      value.values.push_back(TRY(scalar()));
    std::vector<TomlValue>& values = tables_.back().values;
    if (std::ranges::count(values, value.key, &TomlValue::key) > 0)
      return wrong(fmt::format("'{}' is given twice", value.key));
    values.push_back(std::move(value));
    return {};
  }

  Status list(std::vector<TomlScalar>& values) {
    for (skip_lines(); !take(']'); skip_lines()) {
      if (peek() == '[' || peek() == '{')
        return wrong("lists of lists or tables are not read here");
      values.push_back(TRY(scalar()));
      skip_lines();
      if (take(',') || peek() == ']') continue;
      return wrong("expected , or ] in a list");
    }
    return {};
  }

  Result<TomlScalar> scalar() {
    if (peek() == '"' || peek() == '\'') {
      TomlScalar text;
      text.text = TRY(quoted());
      return text;
    }
    const size_t begin = at_;
    while (is_bare(peek()) || peek() == '+' || peek() == '.') ++at_;
    const std::string_view word = text_.substr(begin, at_ - begin);
    if (word.empty()) return wrong("expected a value");
    if (word == "true" || word == "false")
      return TomlScalar{TomlScalar::Type::kTruth, std::string(word), 0, word == "true"};
    return number(word);
  }

  // Digits may be grouped by _; hexadecimal and the like are not read.
  Result<TomlScalar> number(std::string_view word) const {
    std::string digits;
    for (size_t i = 0; i < word.size(); ++i)
      if (word[i] != '_')
        digits += word[i];
      else if (i == 0 || i + 1 == word.size() || word[i - 1] < '0' || word[i - 1] > '9' ||
               word[i + 1] < '0' || word[i + 1] > '9')
        return not_a_value(word);
    const char* first = digits.c_str() + (digits.starts_with('+') ? 1 : 0);
    const char* last = digits.c_str() + digits.size();
    double value = 0;
    const auto [stop, error] = std::from_chars(first, last, value);
    if (error != std::errc() || stop != last || digits.find_first_of("ifn") != digits.npos)
      return not_a_value(word);
    return TomlScalar{TomlScalar::Type::kNumber, std::string(word), value, false};
  }
  tl::unexpected<Error> not_a_value(std::string_view word) const {
    return wrong(fmt::format("'{}' is not a value", word),
                 fmt::format("a text stands in quotes: \"{}\"", word));
  }

  Result<std::string> quoted() {
    const char quote = text_[at_++];
    if (text_.substr(at_, 2) == std::string(2, quote))
      return wrong("texts of several lines are not read here");
    std::string out;
    while (at_ < text_.size() && peek() != quote) {
      const char c = text_[at_];
      if (c == '\n' || (static_cast<unsigned char>(c) < 0x20 && c != '\t')) break;
      ++at_;
      if (c != '\\' || quote == '\'') {
        out += c;
        continue;
      }
      TRY(escape(out));
    }
    if (!take(quote)) return wrong("a text without its closing quote");
    return out;
  }
  Status escape(std::string& out) {
    constexpr std::string_view kFrom = "btnfr\"\\", kTo = "\b\t\n\f\r\"\\";
    const char c = peek();
    const size_t i = kFrom.find(c);
    if (i == kFrom.npos || at_ >= text_.size())
      return wrong("an escape that is not read here",
                   "\\b \\t \\n \\f \\r \\\" and \\\\ are; other characters stand for themselves");
    ++at_;
    out += kTo[i];
    return {};
  }

  std::string_view text_, what_;
  size_t at_ = 0, line_ = 1;
  std::vector<TomlTable> tables_;
};

}  // namespace

Result<std::vector<TomlTable>> parse_toml(std::string_view text, std::string_view what) {
  return Reader(text, what).run();
}

}  // namespace expunge::base
