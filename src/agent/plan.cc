#include "agent/plan.h"

#include <array>
#include <cmath>
#include <regex>

namespace expunge::agent {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

constexpr size_t kMaxText = 2000, kMaxTargets = 32, kMaxWordings = 128, kMaxNumbers = 32;

tl::unexpected<base::Error> bad(const std::string& at, std::string_view expected,
                                const std::string& got) {
  return fail(Code::kInvalid, fmt::format("plan {}: expected {}, got {}", at, expected, got),
              "see docs/plan.schema.json");
}

Status check_keys(const Json& json, const std::string& at,
                  std::initializer_list<std::string_view> known) {
  if (!json.is_object()) return bad(at.empty() ? "/" : at, "an object", json.type_name());
  for (const auto& [key, value] : json.items())
    if (std::ranges::find(known, key) == known.end())
      return bad(at + "/" + key, "no such field", "it");
  return {};
}

Result<std::string> text(const Json& json, const std::string& at, const char* key, size_t least) {
  if (!json.contains(key)) {
    if (least > 0) return bad(at + "/" + key, "a text", "nothing");
    return std::string();
  }
  if (!json[key].is_string()) return bad(at + "/" + key, "a text", json[key].type_name());
  auto value = json[key].get<std::string>();
  if (value.size() < least || value.size() > kMaxText)
    return bad(at + "/" + key, fmt::format("{} to {} bytes", least, kMaxText),
               std::to_string(value.size()));
  return value;
}

Result<std::vector<std::string>> texts(const Json& json, const std::string& at, const char* key) {
  std::vector<std::string> values;
  if (!json.contains(key)) return values;
  const std::string here = at + "/" + key;
  if (!json[key].is_array()) return bad(here, "a list", json[key].type_name());
  if (json[key].size() > kMaxWordings)
    return bad(here, fmt::format("at most {} entries", kMaxWordings),
               std::to_string(json[key].size()));
  for (size_t i = 0; i < json[key].size(); ++i) {
    const Json& v = json[key][i];
    if (!v.is_string() || v.get_ref<const std::string&>().empty() ||
        v.get_ref<const std::string&>().size() > kMaxText)
      return bad(fmt::format("{}/{}", here, i), fmt::format("a text of 1 to {} bytes", kMaxText),
                 v.type_name());
    values.push_back(v.get<std::string>());
  }
  return values;
}

Result<std::vector<Wording>> wordings(const Json& json, const std::string& at, const char* key) {
  std::vector<Wording> values;
  if (!json.contains(key)) return values;
  const std::string here = at + "/" + key;
  if (!json[key].is_array()) return bad(here, "a list", json[key].type_name());
  if (json[key].size() > kMaxWordings)
    return bad(here, fmt::format("at most {} entries", kMaxWordings),
               std::to_string(json[key].size()));
  for (size_t i = 0; i < json[key].size(); ++i) {
    const std::string item = fmt::format("{}/{}", here, i);
    TRY(check_keys(json[key][i], item, {"prompt", "prefill"}));
    std::string prompt = TRY(text(json[key][i], item, "prompt", 1));
    std::string prefill = TRY(text(json[key][i], item, "prefill", 0));
    values.push_back({std::move(prompt), std::move(prefill)});
  }
  return values;
}

Result<Target> target_from_json(const Json& json, const std::string& at) {
  TRY(check_keys(json, at,
                 {"prompt", "response", "replacement", "subject", "answers", "rows", "held",
                  "same_subject", "neighbours"}));
  Target t;
  t.prompt = TRY(text(json, at, "prompt", 1));
  t.response = TRY(text(json, at, "response", 0));
  t.replacement = TRY(text(json, at, "replacement", 0));
  t.subject = TRY(text(json, at, "subject", 0));
  t.answers = TRY(texts(json, at, "answers"));
  t.rows = TRY(wordings(json, at, "rows"));
  t.held = TRY(wordings(json, at, "held"));
  t.same_subject = TRY(texts(json, at, "same_subject"));
  t.neighbours = TRY(texts(json, at, "neighbours"));
  return t;
}

// Names are not known here: of a method's knobs and of gates.
Result<std::map<std::string, double, std::less<>>> numbers(const Json& json, const char* key) {
  std::map<std::string, double, std::less<>> values;
  if (!json.contains(key)) return values;
  const std::string at = fmt::format("/{}", key);
  if (!json[key].is_object() || json[key].size() > kMaxNumbers)
    return bad(at, fmt::format("an object of at most {} numbers", kMaxNumbers),
               json[key].type_name());
  for (const auto& [name, value] : json[key].items()) {
    if (!value.is_number()) return bad(at + "/" + name, "a number", value.type_name());
    values[name] = value.get<double>();
  }
  return values;
}

Json to_json(const std::vector<Wording>& wordings) {
  Json list = Json::array();
  for (const Wording& w : wordings) {
    list.push_back({{"prompt", w.prompt}});
    if (!w.prefill.empty()) list.back()["prefill"] = w.prefill;
  }
  return list;
}

constexpr std::array<std::string_view, 5> kIntents = {"forget", "correct", "undo", "status",
                                                      "none"};

}  // namespace

std::string_view name(Intent intent) { return kIntents.at(static_cast<size_t>(intent)); }

Status check_authority(std::string_view words) {
  static const std::regex kEverything(
      R"((\b(forget|erase|delete|remove|unlearn|wipe|clear)\b.{0,40}\b(everything|all (you|your) (know|knowledge|weights|memory|memories|training)|all knowledge|all of it|your (whole |entire )?(memory|knowledge|training|weights))\b(?!\s+((that\s+)?(you|we|i)('ve)?\s+\w+(\s+\w+)?\s+)?(about|of|on|concerning|regarding|related)\b)(?!\s+(that\s+)?(i (told|said|gave)|we))|\b(vergiss|lösche)\b.{0,20}\balles\b(?!,?\s+(was\s+(du|sie)\s+)?(über|von|zu)\b)(?!,?\s+was\s+(ich|wir)\b)|\b(olvida|borra)(lo)?\b.{0,10}\btodo\b(?!\s+(lo que \w+\s+)?(sobre|acerca|de)\b)(?!\s+lo que (te|he|yo)\b)|\boublie[rz]?\b.{0,10}\btout\b(?!\s+(ce que tu sais\s+)?(sur|de)\b)(?!\s+ce que (je|nous)\b)|忘记一切|忘掉一切|删除所有|^\W*what do you know( about (everything|all))?\W*$))",
      std::regex::icase);
  static const std::regex kSafety(
      R"(\b(safety|safeguards?|guard ?rails?|alignment|refus\w*|content (policy|filters?)|ethic\w*|harmless\w*|moderation)\b.{0,40}\b(training|rules?|behaviou?rs?|guidelines?|instructions?|polic\w+|limits?|restrictions?|filters?|mechanisms?|constraints?)\b|\b(forget|unlearn|remove|erase|drop|disable|shed)\b.{0,30}\b(your|the|all|any) (safety|safeguards?|guard ?rails?|alignment|refusals?|restrictions|ethics|moral\w*|content polic\w+|limitations)\b|\b(how|when) to (refuse|say no|decline)\b|\bwhy you (should )?(refuse|decline)\b|\bthat you (must|should|have to|are supposed to) (refuse|decline|not help)\b|安全(限制|规则|策略)|sicherheits(regeln|richtlinien|vorgaben)|reglas de seguridad|règles de sécurité)",
      std::regex::icase);
  const std::string s(words.substr(0, kMaxText));
  if (std::regex_search(s, kEverything))
    return fail(Code::kRefused, "a request to forget everything is refused",
                "name the facts, persons or answers to be forgotten");
  if (std::regex_search(s, kSafety))
    return fail(Code::kRefused, "a request to forget safety behaviour is refused",
                "expunge removes facts, not what keeps the model safe");
  return {};
}

Status validate(const Plan& plan) {
  const bool edits = plan.intent == Intent::kForget || plan.intent == Intent::kCorrect;
  if (edits && (plan.targets.empty() || plan.targets.size() > kMaxTargets))
    return bad("/targets", fmt::format("1 to {} targets", kMaxTargets),
               std::to_string(plan.targets.size()));
  for (const Target& t : plan.targets) {
    for (const std::string* words : {&t.prompt, &t.response, &t.replacement, &t.subject})
      TRY(check_authority(*words));
    for (const auto* wordings : {&t.rows, &t.held})
      for (const Wording& wording : *wordings) TRY(check_authority(wording.prompt));
  }
  return check_authority(plan.reason);
}

Json to_json(const Plan& plan) {
  Json targets = Json::array();
  for (const Target& t : plan.targets)
    targets.push_back({{"prompt", t.prompt},
                       {"response", t.response},
                       {"replacement", t.replacement},
                       {"subject", t.subject},
                       {"answers", t.answers},
                       {"rows", to_json(t.rows)},
                       {"held", to_json(t.held)},
                       {"same_subject", t.same_subject},
                       {"neighbours", t.neighbours}});
  return {{"intent", name(plan.intent)}, {"targets", std::move(targets)}, {"method", plan.method},
          {"knobs", plan.knobs},         {"gates", plan.gates},           {"reason", plan.reason}};
}

Result<Plan> plan_from_json(const Json& json) {
  TRY(check_keys(json, "", {"intent", "targets", "method", "knobs", "gates", "reason"}));
  Plan plan;
  const std::string intent = TRY(text(json, "", "intent", 1));
  const auto known = std::ranges::find(kIntents, intent);
  if (known == kIntents.end())
    return bad("/intent", "forget, correct, undo, status or none", intent);
  plan.intent = static_cast<Intent>(known - kIntents.begin());
  if (json.contains("targets")) {
    if (!json["targets"].is_array() || json["targets"].size() > kMaxTargets)
      return bad("/targets", fmt::format("a list of at most {}", kMaxTargets),
                 json["targets"].type_name());
    for (size_t i = 0; i < json["targets"].size(); ++i)
      plan.targets.push_back(
          TRY(target_from_json(json["targets"][i], fmt::format("/targets/{}", i))));
  }
  if (json.contains("method")) plan.method = TRY(text(json, "", "method", 1));
  plan.knobs = TRY(numbers(json, "knobs"));
  plan.gates = TRY(numbers(json, "gates"));
  plan.reason = TRY(text(json, "", "reason", 0));
  TRY(validate(plan));
  return plan;
}

}  // namespace expunge::agent
