#include "agent/watchdog.h"

#include <algorithm>
#include <cmath>

#include "tables/dialogues.inc"  // kDialoguesJsonl, made by the build from data/watchdog/dev.jsonl

namespace expunge::agent {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

// Chosen by 10-fold cross-validation on data/watchdog/dev.jsonl.
constexpr size_t kBuckets = 2048;
constexpr float kCueWeight = 2.0f, kWordWeight = 1.0f, kHiddenWeight = 3.0f;
constexpr double kRidge = 1.0;
constexpr double kCertain = 0.95;

uint32_t fnv(std::string_view text, uint32_t hash = 2166136261u) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

struct Settled {
  Intent intent;
  const char* rule;
};

// Rules that need no probability. Each applies whatever else was said.
std::optional<Settled> settle(const Cues& cues, std::span<const float> seen) {
  const auto has = [&](std::string_view name) { return cues.has(seen, name); };
  const bool order = has("memory") || has("persist") || has("that_fact") || has("mine");
  if (has("short") && has("asks") && !order) {
    if (has("decline") && !has("yes")) return Settled{Intent::kNone, "an offer declined"};
    if (has("consent_undo") && !has("no")) return Settled{Intent::kUndo, "an offer accepted"};
    if (has("consent_forget") && !has("no")) return Settled{Intent::kForget, "an offer accepted"};
    if (has("consent_fix") && !has("no")) return Settled{Intent::kCorrect, "an offer accepted"};
  }
  if (has("short") && has("ask_progress")) return Settled{Intent::kStatus, "asks about a request"};
  if (has("neg_forget") && !has("question") && !has("not_know") && !has("undo_any"))
    return Settled{Intent::kNone, "a negated order"};
  if (has("dropped_short") && !has("yes")) return Settled{Intent::kNone, "a subject dropped"};
  return {};
}

std::string question_for(const Reading& v) {
  const std::string what =
      v.targets.empty() ? "that" : "the answer to \"" + v.targets[0].prompt + "\"";
  switch (v.intent) {
    case Intent::kForget:
      return "Do you want me to forget " + what + " for good?";
    case Intent::kCorrect:
      return "Do you want me to replace " + what +
             (v.targets.empty() ? "" : " by \"" + v.targets[0].replacement + "\"") + "?";
    case Intent::kUndo:
      return "Do you want me to undo the last edit?";
    default:
      return "";
  }
}

}  // namespace

base::Status check_dialogue(std::span<const text::Message> dialogue) {
  if (dialogue.empty() || dialogue.back().role != "user")
    return fail(Code::kInvalid, "the watchdog needs a dialogue that ends with the user's message");
  if (const size_t size = dialogue.back().content.size(); size > kMaxMessage)
    return fail(Code::kInvalid,
                fmt::format("the message has {} bytes, at most {} are read", size, kMaxMessage),
                "send it in parts");
  return {};
}

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
      size_t i = 0;
      while (i < kIntents && name(static_cast<Intent>(i)) != intent) ++i;
      if (i == kIntents)
        return fail(Code::kInvalid,
                    fmt::format("{}: expected one of the five intents, got '{}'", where, intent),
                    "see data/watchdog/README.md");
      if (const base::Status sound = check_dialogue(e.dialogue); !sound)
        return fail(Code::kInvalid, where + ": " + sound.error().message, sound.error().hint);
      e.intent = static_cast<Intent>(i);
      for (const Json& t : json.value("targets", Json::array()))
        e.targets.push_back({t.at("prompt").get<std::string>(), t.value("response", ""),
                             t.value("replacement", "")});
      all.push_back(std::move(e));
    } catch (const nlohmann::json::exception& error) {
      return fail(Code::kInvalid, where + ": " + error.what(), "see data/watchdog/README.md");
    }
  }
  return all;
}

const std::vector<Example>& builtin_examples() {
  static const std::vector<Example> kExamples = [] {
    auto parsed = examples_from_jsonl(kDialoguesJsonl, "data/watchdog/dev.jsonl");
    CHECK(parsed.has_value(), "{}", parsed.error().message);
    return std::move(*parsed);
  }();
  return kExamples;
}

std::vector<float> Watchdog::features(std::span<const float> seen,
                                      std::span<const text::Message> dialogue,
                                      std::span<const float> hidden) const {
  std::vector<float> x(seen.begin(), seen.end());
  for (float& v : x) v *= kCueWeight;
  std::vector<float> words(kBuckets);
  uint32_t before = fnv("^");
  for (const Word& word : words_of(dialogue.back().content)) {
    const uint32_t hash = fnv(word.text);
    words[hash % kBuckets] += 1;
    words[fnv(word.text, before) % kBuckets] += 1;
    before = hash;
  }
  double norm = 1e-9;
  for (float& v : words) norm += std::pow(v = std::log1p(v), 2);
  for (const float v : words) x.push_back(kWordWeight * v / static_cast<float>(std::sqrt(norm)));
  for (size_t d = 0; d < hidden.size(); ++d)
    x.push_back(std::clamp((hidden[d] - mean_[d]) / scale_[d], -4.0f, 4.0f) * kHiddenWeight /
                std::sqrt(static_cast<float>(hidden.size())));
  return x;
}

Watchdog Watchdog::train(std::span<const Example> examples,
                         std::span<const std::vector<float>> hidden) {
  CHECK(!examples.empty() && (hidden.empty() || hidden.size() == examples.size()));
  Watchdog w;
  if (!hidden.empty()) {
    w.mean_.resize(hidden[0].size());
    w.scale_.resize(hidden[0].size());
    for (size_t d = 0; d < w.mean_.size(); ++d) {
      double mean = 0, square = 0;
      for (const auto& row : hidden) mean += row[d] / static_cast<double>(hidden.size());
      for (const auto& row : hidden)
        square += std::pow(row[d] - mean, 2) / static_cast<double>(hidden.size());
      w.mean_[d] = static_cast<float>(mean);
      w.scale_[d] = static_cast<float>(std::sqrt(square + 1e-9));
    }
  }
  std::vector<std::vector<float>> x;
  std::vector<int> labels;
  for (size_t i = 0; i < examples.size(); ++i) {
    const auto seen = Cues::builtin().observe(examples[i].dialogue);
    x.push_back(w.features(seen, examples[i].dialogue,
                           hidden.empty() ? std::span<const float>() : hidden[i]));
    labels.push_back(static_cast<int>(examples[i].intent));
  }
  w.probe_ = Probe::fit(x, labels, kIntents, kRidge);
  return w;
}

Result<Reading> Watchdog::read(std::span<const text::Message> dialogue,
                               std::span<const float> hidden) const {
  TRY(check_dialogue(dialogue));
  if (hidden.size() != hidden_width())
    return fail(Code::kInvalid,
                fmt::format("the watchdog was trained with {} hidden features, got {}",
                            hidden_width(), hidden.size()));
  for (const float v : hidden)
    if (!std::isfinite(v)) return fail(Code::kNumeric, "a hidden feature is not finite");
  const Cues& cues = Cues::builtin();
  const auto seen = cues.observe(dialogue);
  Reading v;
  const auto p = probe_.probabilities(features(seen, dialogue, hidden));
  std::ranges::copy(p, v.probabilities.begin());
  if (const auto settled = settle(cues, seen)) {
    v.rule = settled->rule;
    for (size_t i = 0; i < kIntents; ++i)
      v.probabilities[i] = i == static_cast<size_t>(settled->intent)
                               ? kCertain
                               : (1 - kCertain) / static_cast<double>(kIntents - 1);
  }
  const auto top = std::ranges::max_element(v.probabilities);
  v.intent = static_cast<Intent>(top - v.probabilities.begin());
  v.confidence = *top;
  for (size_t i = 0; i < seen.size(); ++i)
    if (seen[i] > 0) v.cues.push_back(cues.names()[i]);
  if (edits(v.intent)) v.targets = find_targets(dialogue, v.intent);
  // A correction without a right answer edits nothing.
  if (v.intent == Intent::kCorrect &&
      std::ranges::all_of(v.targets, [](const auto& t) { return t.replacement.empty(); })) {
    v.intent = Intent::kNone;
    v.targets.clear();
    v.rule = "no right answer was given";
  }
  if (!v.sure()) v.question = question_for(v);
  return v;
}

Json Watchdog::to_json() const {
  return {{"probe", probe_.to_json()}, {"mean", mean_}, {"scale", scale_}};
}

Result<Watchdog> Watchdog::from_json(const Json& json) {
  const auto bad = [] { return fail(Code::kCorrupt, "not a watchdog", "delete the cached file"); };
  if (!json.is_object() || !json.contains("probe")) return bad();
  Watchdog w;
  w.probe_ = TRY(Probe::from_json(json["probe"]));
  try {
    w.mean_ = json.at("mean").get<std::vector<float>>();
    w.scale_ = json.at("scale").get<std::vector<float>>();
  } catch (const nlohmann::json::exception&) {
    return bad();
  }
  const size_t width = Cues::builtin().names().size() + kBuckets + w.mean_.size();
  if (w.mean_.size() != w.scale_.size() || w.probe_.width() != width ||
      w.probe_.weights().size() != kIntents)
    return bad();
  return w;
}

Result<std::vector<std::vector<float>>> hidden_of(std::span<const Example> examples,
                                                  const Features& features, const base::Job& job) {
  std::vector<std::vector<float>> rows;
  if (!features) return rows;
  for (const Example& e : examples) {
    TRY(job.check());
    rows.push_back(TRY_AT(e.id, features(e.dialogue)));
    if (rows.back().size() != rows[0].size())
      return fail(Code::kInternal, "the watchdog's features vary in width");
    job.report("watchdog", rows.size(), examples.size());
  }
  return rows;
}

Result<ModelWatchdog> ModelWatchdog::train(Features features, const base::Job& job) {
  const auto hidden = TRY(hidden_of(builtin_examples(), features, job));
  return ModelWatchdog{Watchdog::train(builtin_examples(), hidden), std::move(features)};
}

Result<Reading> ModelWatchdog::read(std::span<const text::Message> dialogue) const {
  if (!features) return watchdog.read(dialogue);
  return watchdog.read(dialogue, TRY(features(dialogue)));
}

}  // namespace expunge::agent
