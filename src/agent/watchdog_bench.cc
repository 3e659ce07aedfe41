#include "agent/watchdog_bench.h"

#include <algorithm>
#include <set>

#include "agent/watchdog_spans.h"

namespace expunge::agent {
namespace {

using base::Json;
using base::Result;
using Rows = std::vector<std::vector<float>>;

constexpr size_t kFolds = 10;

// Every class is dealt out over the folds in an order fixed by a hash of the item's id.
std::vector<size_t> folds_of(std::span<const Example> items) {
  std::vector<size_t> fold(items.size()), order(items.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto mixed = [&](size_t i) {
    uint64_t h = 1469598103934665603ull;
    for (const char c : items[i].id) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ull;
    return std::pair(h ^ h >> 29, i);
  };
  std::ranges::sort(order, {}, mixed);
  std::array<size_t, kIntents> next{};
  for (size_t c = 0; c < kIntents; ++c) next[c] = 3 * c;
  for (const size_t i : order) fold[i] = next[static_cast<size_t>(items[i].intent)]++ % kFolds;
  return fold;
}

bool is_training_set(std::span<const Example> items) {
  std::set<std::string> own;
  for (const Example& e : builtin_examples()) own.insert(e.dialogue.back().content);
  return std::ranges::any_of(
      items, [&](const Example& e) { return own.contains(e.dialogue.back().content); });
}

std::span<const float> row(const Rows& rows, size_t i) {
  return rows.empty() ? std::span<const float>() : rows[i];
}

// Verdicts of all items, none by a probe that saw it.
Result<std::vector<Verdict>> read_all(std::span<const Example> items, const Features& features,
                                      const base::Progress& progress, std::vector<double>& ms) {
  const Rows hidden = TRY(hidden_of(items, features, progress));
  std::vector<Verdict> verdicts(items.size());
  ms.assign(items.size(), 0);
  const auto read = [&](const Watchdog& w, size_t i) -> base::Status {
    const base::Stopwatch watch;
    verdicts[i] = TRY_AT(items[i].id, w.read(items[i].dialogue, row(hidden, i)));
    ms[i] = watch.seconds() * 1e3;
    return {};
  };
  if (!is_training_set(items)) {
    const auto& known = builtin_examples();
    const auto w = Watchdog::train(known, TRY(hidden_of(known, features, progress)));
    for (size_t i = 0; i < items.size(); ++i) TRY(read(w, i));
    return verdicts;
  }
  const auto fold = folds_of(items);
  for (size_t f = 0; f < kFolds; ++f) {
    TRY(base::check_cancel());
    std::vector<Example> train;
    Rows rows;
    for (size_t i = 0; i < items.size(); ++i) {
      if (fold[i] == f) continue;
      train.push_back(items[i]);
      if (!hidden.empty()) rows.push_back(hidden[i]);
    }
    if (train.empty()) continue;
    const auto w = Watchdog::train(train, rows);
    for (size_t i = 0; i < items.size(); ++i)
      if (fold[i] == f) TRY(read(w, i));
  }
  return verdicts;
}

std::string folded(std::string_view text) {
  std::string out;
  for (const Word& w : words_of(text))
    if (!w.breaks) out += (out.empty() ? "" : " ") + w.text;
  return out;
}

struct TargetScore {
  size_t requests = 0, count = 0, prompt = 0, response = 0, replacement = 0, whole = 0,
         spurious = 0;

  void add(const Example& label, const Verdict& v) {
    ++requests;
    std::vector<bool> used(v.targets.size());
    bool all = v.targets.size() == label.targets.size();
    for (const WatchdogTarget& wanted : label.targets) {
      ++count;
      // The prediction that agrees best with this label.
      size_t best = v.targets.size();
      int most = -1;
      for (size_t i = 0; i < v.targets.size(); ++i) {
        const int score = 2 * same_span(v.targets[i].response, wanted.response) +
                          same_prompt(v.targets[i].prompt, wanted.prompt);
        if (!used[i] && score > most) most = score, best = i;
      }
      if (best == v.targets.size()) {
        all = false;
        continue;
      }
      used[best] = true;
      const WatchdogTarget& got = v.targets[best];
      const bool p = same_prompt(got.prompt, wanted.prompt),
                 r = same_span(got.response, wanted.response),
                 n = same_span(got.replacement, wanted.replacement);
      prompt += p, response += r, replacement += n && !wanted.replacement.empty();
      all = all && p && r && n;
    }
    spurious += static_cast<size_t>(std::ranges::count(used, false));
    whole += all;
  }
  Json json() const {
    return {{"requests", requests},       {"count", count},
            {"prompt", prompt},           {"response", response},
            {"replacement", replacement}, {"whole", whole},
            {"spurious", spurious}};
  }
};

void tally(Json& table, const std::string& key, bool right) {
  if (!table.contains(key)) table[key] = {{"items", 0}, {"right", 0}};
  table[key]["items"] = table[key]["items"].get<int>() + 1;
  table[key]["right"] = table[key]["right"].get<int>() + right;
}

bool edits(Intent intent) { return intent == Intent::kForget || intent == Intent::kCorrect; }

}  // namespace

bool same_prompt(std::string_view predicted, std::string_view label) {
  std::set<std::string> got, wanted;
  for (const Word& w : words_of(predicted)) got.insert(w.text);
  for (const Word& w : words_of(label))
    if (!is_function_word(w.text)) wanted.insert(w.text);
  if (wanted.empty()) return folded(predicted) == folded(label);
  size_t shared = 0;
  for (const std::string& w : wanted)
    shared += std::ranges::any_of(got, [&](const std::string& g) {
      const size_t stem = std::max<size_t>(4, std::min(w.size(), g.size()) - 1);
      return g == w || (w.size() > 4 && g.substr(0, stem) == w.substr(0, stem));
    });
  return static_cast<double>(shared) >= 0.6 * static_cast<double>(wanted.size());
}

bool same_span(std::string_view predicted, std::string_view label) {
  const std::string p = folded(predicted), l = folded(label);
  if (p.empty() || l.empty()) return p.empty() && l.empty();
  return p.find(l) != p.npos || l.find(p) != l.npos;
}

Result<Json> bench_watchdog(std::span<const Example> items, const Features& features,
                            const base::Progress& progress) {
  if (items.empty()) return base::fail(base::Code::kInvalid, "no dialogues to be read");
  std::vector<double> ms;
  const auto verdicts = TRY(read_all(items, features, progress, ms));
  std::array<std::array<size_t, kIntents>, kIntents> matrix{};
  size_t requests = 0, found = 0, misses = 0, alarms = 0, exact = 0, sure = 0, sure_right = 0;
  size_t hard = 0, hard_alarms = 0, hard_right = 0;
  TargetScore targets;
  Json categories = Json::object(), languages = Json::object(), failures = Json::array();
  for (size_t i = 0; i < items.size(); ++i) {
    const Example& e = items[i];
    const Verdict& v = verdicts[i];
    const bool right = v.intent == e.intent, alarm = edits(v.intent) && !edits(e.intent);
    ++matrix[static_cast<size_t>(e.intent)][static_cast<size_t>(v.intent)];
    exact += right, alarms += alarm, requests += edits(e.intent);
    found += edits(e.intent) && edits(v.intent);
    misses += edits(e.intent) && !edits(v.intent);
    sure += v.sure(), sure_right += v.sure() && right;
    if (right && edits(e.intent)) targets.add(e, v);
    const size_t comma = e.note.find(','), colon = e.note.find(':');
    if (comma < colon && colon != e.note.npos) {
      const std::string category = e.note.substr(0, comma);
      tally(categories, category, right);
      tally(languages, e.note.substr(comma + 2, colon - comma - 2), right);
      if (category == "hard") ++hard, hard_alarms += alarm, hard_right += right;
    }
    if (!right)
      failures.push_back({{"id", e.id},
                          {"labelled", name(e.intent)},
                          {"read", name(v.intent)},
                          {"confidence", v.confidence},
                          {"note", e.note}});
  }
  std::ranges::sort(ms);
  Json names = Json::array();
  for (size_t i = 0; i < kIntents; ++i) names.push_back(name(static_cast<Intent>(i)));
  return Json{{"items", items.size()},
              {"requests", requests},
              {"found", found},
              {"misses", misses},
              {"false_alarms", alarms},
              {"exact", exact},
              {"targets", targets.json()},
              {"matrix", {{"intents", names}, {"rows", matrix}}},
              {"hard", {{"items", hard}, {"false_alarms", hard_alarms}, {"right", hard_right}}},
              {"categories", categories},
              {"languages", languages},
              {"sure", {{"items", sure}, {"right", sure_right}}},
              {"latency_ms", {{"median", ms[ms.size() / 2]}, {"p99", ms[ms.size() * 99 / 100]}}},
              {"hidden", features ? TRY(features(items[0].dialogue)).size() : 0},
              {"cross_validated", is_training_set(items)},
              {"failures", failures}};
}

}  // namespace expunge::agent
