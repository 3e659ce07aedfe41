#include "guard/target.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <chrono>

#include "base/unique_keys.h"
#include "base/utf8.h"
#include "text/trim.h"

namespace expunge::guard {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

constexpr std::string_view kFields = "name, aliases, mode, scope, expires";

// Blocks of characters outside ASCII that are neither letters nor digits: signs, blanks, marks that
// combine, invisible ones.
bool is_sign(char32_t c) {
  constexpr std::pair<char32_t, char32_t> kSigns[] = {
      {0x80, 0xBF},     {0x300, 0x36F},   {0x2000, 0x20CF},   {0x2190, 0x2BFF},  {0x3000, 0x303F},
      {0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF}, {0x1F000, 0x1FAFF}, {0xE0000, 0xE0FFF}};
  return std::ranges::any_of(kSigns, [c](const auto& s) { return c >= s.first && c <= s.second; });
}

// Of valid UTF-8. A character of Chinese, Japanese or Korean says as much as two letters.
size_t count_letters(std::string_view text) {
  size_t n = 0;
  for (size_t at = 0; at < text.size();) {
    const base::Char c = base::char_at(text, at);
    const size_t letters = c.code >= 0x2E80 && c.code < 0xFB00 ? 2 : 1;
    n += c.code < 0x80     ? std::isalnum(static_cast<int>(c.code)) != 0
         : is_sign(c.code) ? 0
                           : letters;
    at += c.size;
  }
  return n;
}

Result<std::string> text_of(const Json& value, const std::string& field) {
  if (!value.is_string())
    return fail(Code::kInvalid,
                fmt::format("target /{}: expected a text, got {}", field, value.type_name()));
  const auto& text = value.get_ref<const std::string&>();
  if (!base::is_utf8(text))
    return fail(Code::kInvalid, fmt::format("target /{} is not UTF-8", field),
                "convert the text, e.g. with iconv -t UTF-8");
  return std::string(text::trimmed(text));
}

// A name or an alias.
Result<std::string> name_of(const Json& value, const std::string& field) {
  constexpr size_t kLetters = 3;
  std::string text = TRY(text_of(value, field));
  if (count_letters(text) < kLetters)
    return fail(Code::kInvalid,
                fmt::format("target /{}: expected at least {} letters or digits, got '{}'", field,
                            kLetters, text),
                "a shorter name would be found everywhere");
  return text;
}

bool is_date(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00";
  const auto fits = [](char c, char form) {
    return form == '0' ? c >= '0' && c <= '9' : c == form;
  };
  if (text.size() != kForm.size() || !std::ranges::equal(text, kForm, fits)) return false;
  const auto number = [&](size_t at, size_t size) {
    unsigned value = 0;
    std::from_chars(text.data() + at, text.data() + at + size, value);
    return value;
  };
  return std::chrono::year_month_day(std::chrono::year(static_cast<int>(number(0, 4))),
                                     std::chrono::month(number(5, 2)),
                                     std::chrono::day(number(8, 2)))
      .ok();
}

base::Status set_aliases(const Json& value, Target& target) {
  if (!value.is_array())
    return fail(Code::kInvalid, fmt::format("target /aliases: expected a list of texts, got {}",
                                            value.type_name()));
  for (size_t i = 0; i < value.size(); ++i)
    target.aliases.push_back(TRY(name_of(value[i], fmt::format("aliases/{}", i))));
  return {};
}

base::Status set(const std::string& field, const Json& value, Target& target) {
  if (field == "aliases") return set_aliases(value, target);
  if (field == "name") {
    target.name = TRY(name_of(value, field));
  } else if (field == "scope") {
    target.scope = TRY(text_of(value, field));
  } else if (field == "mode") {
    const std::string text = TRY(text_of(value, field));
    const auto mode = mode_from_name(text);
    if (!mode)
      return fail(Code::kInvalid,
                  fmt::format("target /mode: expected rewrite, refuse or idk, got '{}'", text));
    target.mode = *mode;
  } else if (field == "expires") {
    target.expires = TRY(text_of(value, field));
    if (!target.expires.empty() && !is_date(target.expires))
      return fail(Code::kInvalid,
                  fmt::format("target /expires: expected a date, got '{}'", target.expires),
                  "as in 2027-01-31");
  } else if (field != "id") {  // of another list; this one gives its own
    return fail(Code::kInvalid, fmt::format("target: there is no field '{}'", field),
                fmt::format("the fields are {}", kFields));
  }
  return {};
}

}  // namespace

std::string_view name(Mode mode) {
  switch (mode) {
    case Mode::kRewrite:
      return "rewrite";
    case Mode::kRefuse:
      return "refuse";
    case Mode::kIdk:
      return "idk";
  }
  return "";
}

std::optional<Mode> mode_from_name(std::string_view text) {
  for (const Mode mode : {Mode::kRewrite, Mode::kRefuse, Mode::kIdk})
    if (name(mode) == text) return mode;
  return std::nullopt;
}

Result<Target> target_from_json(const Json& json) {
  if (!json.is_object())
    return fail(Code::kInvalid, fmt::format("target: expected an object, got {}", json.type_name()),
                fmt::format("its fields are {}", kFields));
  Target target;
  for (const auto& [field, value] : json.items()) TRY(set(field, value, target));
  if (target.name.empty()) return fail(Code::kInvalid, "target: expected a field 'name'");
  return target;
}

Json to_json(const Target& target) {
  return {{"id", target.id},           {"name", target.name},   {"aliases", target.aliases},
          {"mode", name(target.mode)}, {"scope", target.scope}, {"expires", target.expires}};
}

Result<std::vector<Target>> read_targets(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<Target> targets;
  size_t line = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view content = text::trimmed(text.substr(begin, end - begin));
    begin = end + 1;
    ++line;
    if (content.empty()) continue;
    const std::string where = fmt::format("line {}", line);
    const Json json = TRY(base::parse_json(content, where));
    TRY(base::check_unique_keys(content, where));
    auto target = target_from_json(json);
    if (!target) {
      target.error().message = where + ": " + target.error().message;
      return tl::unexpected(std::move(target.error()));
    }
    targets.push_back(*std::move(target));
  }
  return targets;
}

bool is_active(const Target& target, std::string_view day) {
  return target.expires.empty() || day < target.expires;
}

}  // namespace expunge::guard
