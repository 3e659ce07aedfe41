#include "agent/plan.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace expunge::agent {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

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

enum class Need { kRequired, kOptional };

Result<std::string> text(const Json& json, const std::string& at, const char* key, Need need) {
  if (!json.contains(key)) {
    if (need == Need::kRequired) return bad(at + "/" + key, "a text", "nothing");
    return std::string();
  }
  if (!json[key].is_string()) return bad(at + "/" + key, "a text", json[key].type_name());
  return json[key].get<std::string>();
}

// The list at `key`, empty if there is none. Its length is checked before its entries are read.
Result<const Json*> list(const Json& json, const std::string& at, const char* key, size_t most) {
  static const Json kNone = Json::array();
  if (!json.contains(key)) return &kNone;
  if (!json[key].is_array()) return bad(at + "/" + key, "a list", json[key].type_name());
  if (json[key].size() > most)
    return bad(at + "/" + key, fmt::format("at most {} entries", most),
               std::to_string(json[key].size()));
  return &json[key];
}

Result<std::vector<std::string>> texts(const Json& json, const std::string& at, const char* key) {
  std::vector<std::string> values;
  for (const Json& v : *TRY(list(json, at, key, kMaxTexts))) {
    if (!v.is_string())
      return bad(fmt::format("{}/{}/{}", at, key, values.size()), "a text", v.type_name());
    values.push_back(v.get<std::string>());
  }
  return values;
}

Result<std::vector<Wording>> wordings(const Json& json, const std::string& at, const char* key) {
  std::vector<Wording> values;
  for (const Json& v : *TRY(list(json, at, key, kMaxTexts))) {
    const std::string item = fmt::format("{}/{}/{}", at, key, values.size());
    TRY(check_keys(v, item, {"prompt", "prefill"}));
    std::string prompt = TRY(text(v, item, "prompt", Need::kRequired));
    std::string prefill = TRY(text(v, item, "prefill", Need::kOptional));
    values.push_back({std::move(prompt), std::move(prefill)});
  }
  return values;
}

Result<Target> target_from_json(const Json& json, const std::string& at) {
  TRY(check_keys(json, at,
                 {"prompt", "response", "replacement", "subject", "answers", "rows", "held",
                  "same_subject", "neighbours"}));
  Target t;
  t.prompt = TRY(text(json, at, "prompt", Need::kRequired));
  t.response = TRY(text(json, at, "response", Need::kOptional));
  t.replacement = TRY(text(json, at, "replacement", Need::kOptional));
  t.subject = TRY(text(json, at, "subject", Need::kOptional));
  t.answers = TRY(texts(json, at, "answers"));
  t.rows = TRY(wordings(json, at, "rows"));
  t.held = TRY(wordings(json, at, "held"));
  t.same_subject = TRY(texts(json, at, "same_subject"));
  t.neighbours = TRY(texts(json, at, "neighbours"));
  return t;
}

constexpr size_t kMaxNumbers = 32;

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

Status check_size(const std::string& at, std::string_view text, size_t least, size_t most) {
  if (text.size() >= least && text.size() <= most) return {};
  return bad(at, fmt::format("{} to {} bytes", least, most), std::to_string(text.size()));
}

Status check_texts(const std::string& at, const std::vector<std::string>& texts) {
  if (texts.size() > kMaxTexts)
    return bad(at, fmt::format("at most {} entries", kMaxTexts), std::to_string(texts.size()));
  for (size_t i = 0; i < texts.size(); ++i)
    TRY(check_size(fmt::format("{}/{}", at, i), texts[i], 1, kMaxText));
  return {};
}

Status check_wordings(const std::string& at, const std::vector<Wording>& wordings) {
  if (wordings.size() > kMaxTexts)
    return bad(at, fmt::format("at most {} entries", kMaxTexts), std::to_string(wordings.size()));
  for (size_t i = 0; i < wordings.size(); ++i) {
    TRY(check_size(fmt::format("{}/{}/prompt", at, i), wordings[i].prompt, 1, kMaxRow));
    TRY(check_size(fmt::format("{}/{}/prefill", at, i), wordings[i].prefill, 0, kMaxText));
    TRY(check_authority(wordings[i].prompt));
  }
  return {};
}

Status check_target(const Target& t, const std::string& at) {
  TRY(check_size(at + "/prompt", t.prompt, 1, kMaxText));
  TRY(check_size(at + "/response", t.response, 0, kMaxText));
  TRY(check_size(at + "/replacement", t.replacement, 0, kMaxText));
  TRY(check_size(at + "/subject", t.subject, 0, kMaxText));
  for (const std::string* words : {&t.prompt, &t.response, &t.replacement, &t.subject})
    TRY(check_authority(*words));
  TRY(check_texts(at + "/answers", t.answers));
  TRY(check_texts(at + "/same_subject", t.same_subject));
  TRY(check_texts(at + "/neighbours", t.neighbours));
  TRY(check_wordings(at + "/rows", t.rows));
  return check_wordings(at + "/held", t.held);
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
std::optional<Intent> intent_from_name(std::string_view name) {
  const auto known = std::ranges::find(kIntents, name);
  if (known == kIntents.end()) return std::nullopt;
  return static_cast<Intent>(known - kIntents.begin());
}

Status validate(const Plan& plan) {
  const bool edits = plan.intent == Intent::kForget || plan.intent == Intent::kCorrect;
  if (plan.targets.size() > kMaxTargets || (edits && plan.targets.empty()))
    return bad("/targets", fmt::format("{} to {} targets", edits ? 1 : 0, kMaxTargets),
               std::to_string(plan.targets.size()));
  TRY(check_size("/method", plan.method, 1, kMaxText));
  TRY(check_size("/reason", plan.reason, 0, kMaxText));
  if (plan.knobs.size() > kMaxKnobs)
    return bad("/knobs", fmt::format("at most {} knobs", kMaxKnobs),
               std::to_string(plan.knobs.size()));
  for (size_t i = 0; i < plan.targets.size(); ++i)
    TRY(check_target(plan.targets[i], fmt::format("/targets/{}", i)));
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
  const std::string intent = TRY(text(json, "", "intent", Need::kRequired));
  const auto known = intent_from_name(intent);
  if (!known) return bad("/intent", "forget, correct, undo, status or none", intent);
  plan.intent = *known;
  for (const Json& target : *TRY(list(json, "", "targets", kMaxTargets)))
    plan.targets.push_back(
        TRY(target_from_json(target, fmt::format("/targets/{}", plan.targets.size()))));
  if (json.contains("method")) plan.method = TRY(text(json, "", "method", Need::kRequired));
  plan.knobs = TRY(numbers(json, "knobs"));
  plan.gates = TRY(numbers(json, "gates"));
  plan.reason = TRY(text(json, "", "reason", Need::kOptional));
  TRY(validate(plan));
  return plan;
}

}  // namespace expunge::agent
