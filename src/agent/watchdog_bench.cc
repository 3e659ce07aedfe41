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

// Equal for two examples if a watchdog trained on one has seen the other.
std::string key_of(const Example& e) {
  std::string key(name(e.intent));
  for (const text::Message& m : e.dialogue)
    key += fmt::format("\n{} {}:{}", m.role, m.content.size(), m.content);
  return key;
}

std::multiset<std::string> keys_of(std::span<const Example> items) {
  std::multiset<std::string> keys;
  for (const Example& e : items) keys.insert(key_of(e));
  return keys;
}

struct Run {
  std::vector<Reading> readings;
  std::vector<double> ms;  // of each
  size_t hidden = 0;       // width of the hidden features
};

// Readings of the training set, each by a watchdog that did not see the item.
Result<Run> cross_validated(std::span<const Example> items, const Features& features,
                            const base::Job& job) {
  const Rows hidden = TRY(hidden_of(items, features, job));
  Run run{std::vector<Reading>(items.size()), std::vector<double>(items.size()),
          hidden.empty() ? 0 : hidden[0].size()};
  const auto fold = folds_of(items);
  for (size_t f = 0; f < kFolds; ++f) {
    std::vector<Example> train;
    Rows rows;
    for (size_t i = 0; i < items.size(); ++i) {
      if (fold[i] == f) continue;
      train.push_back(items[i]);
      if (!hidden.empty()) rows.push_back(hidden[i]);
    }
    const ModelWatchdog w{Watchdog::train(train, rows), features};
    for (size_t i = 0; i < items.size(); ++i) {
      if (fold[i] != f) continue;
      TRY(job.check());
      const base::Stopwatch watch;
      run.readings[i] = TRY_AT(items[i].id, w.read(items[i].dialogue));
      run.ms[i] = watch.seconds() * 1e3;
    }
  }
  return run;
}

Result<Run> read_all(std::span<const Example> items, const ModelWatchdog& watchdog,
                     const base::Job& job) {
  Run run{{}, {}, watchdog.watchdog.hidden_width()};
  for (const Example& e : items) {
    TRY(job.check());
    const base::Stopwatch watch;
    run.readings.push_back(TRY_AT(e.id, watchdog.read(e.dialogue)));
    run.ms.push_back(watch.seconds() * 1e3);
    job.report("watchdog", run.ms.size(), items.size());
  }
  return run;
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

  void add(const Example& label, const Reading& v) {
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

Json figures(std::span<const Example> items, Run run) {
  std::array<std::array<size_t, kIntents>, kIntents> matrix{};
  size_t requests = 0, found = 0, misses = 0, alarms = 0, exact = 0, sure = 0, sure_right = 0;
  size_t hard = 0, hard_alarms = 0, hard_right = 0;
  TargetScore targets;
  Json categories = Json::object(), languages = Json::object(), failures = Json::array();
  for (size_t i = 0; i < items.size(); ++i) {
    const Example& e = items[i];
    const Reading& v = run.readings[i];
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
  std::ranges::sort(run.ms);
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
              {"latency_ms",
               {{"median", run.ms[run.ms.size() / 2]}, {"p99", run.ms[run.ms.size() * 99 / 100]}}},
              {"hidden", run.hidden},
              {"failures", failures}};
}

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

bool is_builtin(std::span<const Example> items) {
  return keys_of(items) == keys_of(builtin_examples());
}

Result<Json> bench_watchdog(std::span<const Example> items, const ModelWatchdog& watchdog,
                            const base::Job& job) {
  if (items.empty()) return base::fail(base::Code::kInvalid, "no dialogues to be read");
  Json json = figures(items, TRY(read_all(items, watchdog, job)));
  const auto known = keys_of(builtin_examples());
  json["cross_validated"] = false;
  json["trained_on"] =
      std::ranges::count_if(items, [&](const Example& e) { return known.contains(key_of(e)); });
  return json;
}

Result<Json> cross_validate_watchdog(const Features& features, const base::Job& job) {
  const auto& items = builtin_examples();
  Json json = figures(items, TRY(cross_validated(items, features, job)));
  json["cross_validated"] = true;
  json["trained_on"] = 0;
  return json;
}

}  // namespace expunge::agent
