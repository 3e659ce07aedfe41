#include "agent/watchdog/examples.h"

#include <algorithm>

namespace expunge::agent {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

Result<std::vector<Example>> examples_from_jsonl(std::string_view text, std::string_view what) {
  std::vector<Example> all;
  size_t line = 0;
  for (size_t at = 0; at < text.size(); ++line) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view one = text.substr(at, end - at);
    at = end + 1;
    if (one.find_first_not_of(" \t\r") == one.npos) continue;
    const std::string where = fmt::format("{} line {}", what, line + 1);
    const Json json = TRY(base::parse_json(one, where));
    try {
      Example e{json.value("id", where), {}, Intent::kNone, {}, json.value("note", "")};
      for (const Json& m : json.at("dialogue"))
        e.dialogue.push_back({m.at("role").get<std::string>(), m.at("content").get<std::string>()});
      const auto intent = json.at("intent").get<std::string>();
      const auto known = intent_from_name(intent);
      if (!known)
        return fail(Code::kInvalid,
                    fmt::format("{}: expected one of the five intents, got '{}'", where, intent),
                    "see data/watchdog/README.md");
      if (const base::Status sound = check_dialogue(e.dialogue); !sound)
        return fail(Code::kInvalid, where + ": " + sound.error().message, sound.error().hint);
      e.intent = *known;
      const bool topic = e.note.starts_with("topic");
      for (const Json& t : json.value("targets", Json::array()))
        e.targets.push_back({t.at("prompt").get<std::string>(), t.value("response", ""),
                             t.value("replacement", ""), topic});
      all.push_back(std::move(e));
    } catch (const nlohmann::json::exception& error) {
      return fail(Code::kInvalid, where + ": " + error.what(), "see data/watchdog/README.md");
    }
  }
  return all;
}

}  // namespace expunge::agent
