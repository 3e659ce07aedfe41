// What is guarded: names that an operator wants kept out of what a model says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace expunge::guard {

// What becomes of a reply that touches a target: cleaned by the agents, declined, or "I don't
// know".
enum class Mode { kRewrite, kRefuse, kIdk };
std::string_view name(Mode mode);
std::optional<Mode> mode_from_name(std::string_view name);

struct Target {
  int64_t id = 0;                         // of the store; 0: not stored
  std::string name = {};                  // "Basil Mahfouz Al-Kuwaiti"
  std::vector<std::string> aliases = {};  // other names for the same
  Mode mode = Mode::kRewrite;
  // Words that say what the target is ("novelist, Kuwait"). A name of one ordinary word ("Basil"),
  // written in lower case among properly written words, counts only beside one of them.
  std::string scope = {};
  std::string expires = {};  // "2027-01-31": from that day it does not count; "" = never
};

// One line of a list: {"name", "aliases": [], "mode", "scope", "expires"}. Errors: kInvalid: an
// unknown field, a wrong type, an empty name, names without three letters or digits (two characters
// of Chinese, Japanese or Korean), a date that is none. An "id" is not read.
base::Result<Target> target_from_json(const base::Json& json);
base::Json to_json(const Target& target);
// JSON lines; errors name the line.
base::Result<std::vector<Target>> read_targets(std::string_view text);
// Whether it counts on that day ("2026-11-27").
bool is_active(const Target& target, std::string_view day);

}  // namespace expunge::guard
