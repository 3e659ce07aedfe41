#include "base/json.h"

#include "base/files.h"

namespace expunge::base {

Result<Json> parse_json(std::string_view text, std::string_view what) {
  // The nesting bound keeps hostile input from exhausting the stack.
  constexpr int kMaxDepth = 128;
  bool too_deep = false;
  Json value;
  try {
    value =
        Json::parse(text.begin(), text.end(), [&](int depth, Json::parse_event_t, Json&) -> bool {
          if (depth > kMaxDepth) throw std::length_error("too deep");
          return true;
        });
  } catch (const std::length_error&) {
    too_deep = true;
  } catch (const nlohmann::json::exception& e) {
    return fail(Code::kInvalid, fmt::format("{}: not valid JSON: {}", what, e.what()),
                "check the text with a JSON validator; it must be UTF-8");
  }
  if (too_deep) return fail(Code::kInvalid, fmt::format("{}: nested deeper than 128", what));
  return value;
}

Result<Json> read_json(const std::string& path) { return parse_json(TRY(read_file(path)), path); }

Result<std::vector<Json>> read_jsonl(const std::string& path) {
  const std::string text = TRY(read_file(path));
  std::vector<Json> values;
  size_t line_number = 0;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find('\n', begin);
    if (end == std::string::npos) end = text.size();
    ++line_number;
    const std::string_view line(text.data() + begin, end - begin);
    begin = end + 1;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    values.push_back(TRY(parse_json(line, fmt::format("{}:{}", path, line_number))));
  }
  return values;
}

std::string dump_json(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace expunge::base
