#include "agent/watchdog/reading.h"

namespace expunge::agent {
namespace {

using base::Json;
using base::Result;

tl::unexpected<base::Error> bad(const std::string& at, std::string_view expected) {
  return base::fail(base::Code::kInvalid, fmt::format("reading {}: expected {}", at, expected));
}

Result<WatchdogTarget> target_from_json(const Json& json, const std::string& at) {
  if (!json.is_object()) return bad(at, "an object");
  WatchdogTarget target;
  for (const auto& [key, value] : json.items()) {
    std::string* field = key == "prompt"        ? &target.prompt
                         : key == "response"    ? &target.response
                         : key == "replacement" ? &target.replacement
                                                : nullptr;
    if (!field) return bad(at + "/" + key, "no such field");
    if (!value.is_string() || value.get_ref<const std::string&>().size() > kMaxText)
      return bad(at + "/" + key, fmt::format("a text of at most {} bytes", kMaxText));
    *field = value.get<std::string>();
  }
  if (target.prompt.empty()) return bad(at + "/prompt", "a text");
  return target;
}

}  // namespace

Json to_json(const Reading& reading) {
  Json targets = Json::array();
  for (const WatchdogTarget& t : reading.targets) {
    targets.push_back({{"prompt", t.prompt}, {"response", t.response}});
    if (reading.intent == Intent::kCorrect) targets.back()["replacement"] = t.replacement;
    if (t.topic) targets.back()["topic"] = true;
  }
  Json probabilities = Json::object();
  for (size_t i = 0; i < kIntents; ++i)
    probabilities[std::string(name(static_cast<Intent>(i)))] = reading.probabilities[i];
  return {{"intent", name(reading.intent)}, {"confidence", reading.confidence},
          {"sure", reading.sure()},         {"targets", targets},
          {"question", reading.question},   {"probabilities", probabilities}};
}

Result<Reading> reading_from_json(const Json& json) {
  if (!json.is_object()) return bad("/", "an object");
  for (const auto& [key, value] : json.items())
    if (key != "intent" && key != "confidence" && key != "targets")
      return bad("/" + key, "no such field");
  Reading v;
  const auto intent = json.contains("intent") && json["intent"].is_string()
                          ? intent_from_name(json["intent"].get<std::string>())
                          : std::nullopt;
  if (!intent) return bad("/intent", "forget, correct, undo, status or none");
  v.intent = *intent;
  v.confidence = 0.75;  // an endpoint without a confidence: the user is asked
  if (json.contains("confidence")) {
    if (!json["confidence"].is_number()) return bad("/confidence", "a number");
    v.confidence = json["confidence"].get<double>();
    if (!(v.confidence >= 0 && v.confidence <= 1)) return bad("/confidence", "0 to 1");
  }
  v.probabilities.fill((1 - v.confidence) / static_cast<double>(kIntents - 1));
  v.probabilities[static_cast<size_t>(*intent)] = v.confidence;
  if (json.contains("targets")) {
    if (!json["targets"].is_array() || json["targets"].size() > kMaxTargets)
      return bad("/targets", fmt::format("a list of at most {}", kMaxTargets));
    for (size_t i = 0; i < json["targets"].size(); ++i) {
      const std::string at = fmt::format("/targets/{}", i);
      v.targets.push_back(TRY(target_from_json(json["targets"][i], at)));
      if (v.intent == Intent::kCorrect && v.targets.back().replacement.empty())
        return bad(at + "/replacement", "the right answer");
    }
  }
  if (edits(v.intent) == v.targets.empty())
    return bad("/targets", edits(v.intent) ? "at least one target" : "none for this intent");
  return v;
}

}  // namespace expunge::agent
