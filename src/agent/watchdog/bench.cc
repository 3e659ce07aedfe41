#include "agent/watchdog/bench.h"

#include <algorithm>
#include <map>
#include <set>

#include "agent/words.h"

namespace expunge::agent {
namespace {

using base::Json;
using base::Result;

struct Run {
  std::vector<Reading> readings;
  std::vector<double> ms;  // of each
};

Result<Run> read_all(std::span<const Example> items, const LanguageModel& model,
                     const base::Job& job) {
  Run run;
  for (const Example& e : items) {
    TRY(job.check());
    const base::Stopwatch watch;
    run.readings.push_back(TRY_AT(e.id, read_dialogue(model, e.dialogue, job)));
    run.ms.push_back(watch.seconds() * 1e3);
    job.report("watchdog", run.ms.size(), items.size());
  }
  return run;
}

struct TargetScore {
  size_t requests = 0, count = 0, prompt = 0, response = 0, replacement = 0, whole = 0,
         spurious = 0;

  // -> whether the whole request is right.
  bool add(const Example& label, const Reading& v) {
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
    return all;
  }
  Json json() const {
    return {{"requests", requests},       {"count", count},
            {"prompt", prompt},           {"response", response},
            {"replacement", replacement}, {"whole", whole},
            {"spurious", spurious}};
  }
};

double share(size_t part, size_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

struct Tally {
  size_t items = 0, right = 0, requests = 0, found = 0, false_alarms = 0, whole = 0;
  void add(const Example& e, const Reading& v, bool is_whole) {
    const bool wanted = edits(e.intent), got = edits(v.intent);
    ++items;
    right += v.intent == e.intent;
    requests += wanted, found += wanted && got, false_alarms += got && !wanted;
    whole += is_whole;
  }
  Json json() const {
    return {{"items", items},
            {"right", right},
            {"requests", requests},
            {"found", found},
            {"false_alarms", false_alarms},
            {"whole", whole}};
  }
};

Json to_json(const std::map<std::string, Tally>& tallies) {
  Json json = Json::object();
  for (const auto& [key, tally] : tallies) json[key] = tally.json();
  return json;
}

Json labelled_targets(const std::vector<WatchdogTarget>& targets, Intent intent) {
  return agent::to_json(Reading{.intent = intent, .targets = targets})["targets"];
}

Json failure(const Example& e, const Reading& v) {
  return {{"id", e.id},
          {"labelled", name(e.intent)},
          {"read", name(v.intent)},
          {"confidence", v.confidence},
          {"wanted", labelled_targets(e.targets, e.intent)},
          {"targets", labelled_targets(v.targets, v.intent)},
          {"message", e.dialogue.back().content},
          {"note", e.note}};
}

Json figures(std::span<const Example> items, Run run) {
  std::array<std::array<size_t, kIntents>, kIntents> matrix{};
  Tally all;
  size_t sure = 0, sure_right = 0, sure_alarms = 0;
  TargetScore targets;
  std::map<std::string, Tally> categories, languages;
  Json failures = Json::array(), readings = Json::array();
  for (size_t i = 0; i < items.size(); ++i) {
    const Example& e = items[i];
    const Reading& v = run.readings[i];
    const bool right = v.intent == e.intent, alarm = edits(v.intent) && !edits(e.intent);
    ++matrix[static_cast<size_t>(e.intent)][static_cast<size_t>(v.intent)];
    sure += v.sure(), sure_right += v.sure() && right, sure_alarms += v.sure() && alarm;
    const bool whole = right && edits(e.intent) && targets.add(e, v);
    all.add(e, v, whole);
    const size_t comma = e.note.find(','), colon = e.note.find(':');
    if (comma < colon && colon != e.note.npos) {
      categories[e.note.substr(0, comma)].add(e, v, whole);
      languages[e.note.substr(comma + 2, colon - comma - 2)].add(e, v, whole);
    }
    if (!right || (edits(e.intent) && !whole)) failures.push_back(failure(e, v));
    readings.push_back({{"id", e.id}, {"labelled", name(e.intent)}, {"p", v.probabilities}});
  }
  std::ranges::sort(run.ms);
  Json names = Json::array();
  for (size_t i = 0; i < kIntents; ++i) names.push_back(name(static_cast<Intent>(i)));
  return Json{{"items", items.size()},
              {"found", share(all.found, all.requests)},
              {"false_alarms", share(all.false_alarms, all.items - all.requests)},
              {"intent", share(all.right, all.items)},
              {"targets", share(targets.whole, targets.requests)},
              {"questions", share(targets.prompt, targets.count)},
              {"answers", share(targets.response, targets.count)},
              {"counts", all.json()},
              {"target_counts", targets.json()},
              {"matrix", {{"intents", names}, {"rows", matrix}}},
              {"categories", to_json(categories)},
              {"languages", to_json(languages)},
              {"sure", {{"items", sure}, {"right", sure_right}, {"false_alarms", sure_alarms}}},
              {"latency_ms",
               {{"median", run.ms[run.ms.size() / 2]}, {"p99", run.ms[run.ms.size() * 99 / 100]}}},
              {"readings", readings},
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

Result<Json> bench_watchdog(std::span<const Example> items, const LanguageModel& model,
                            const base::Job& job) {
  if (items.empty()) return base::fail(base::Code::kInvalid, "no dialogues to be read");
  return figures(items, TRY(read_all(items, model, job)));
}

}  // namespace expunge::agent
