#include "verify/metric.h"

#include <algorithm>
#include <cmath>

#include "tables/metrics.inc"  // made by the build from metrics/*.cc
#include "verify/statistics.h"

namespace expunge::verify {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

std::string_view word(Need need) {
  switch (need) {
    case Need::kReference:
      return "reference";
    case Need::kPerturbed:
      return "perturbed";
    case Need::kTokens:
      return "tokens";
    case Need::kGenerations:
      return "generations";
  }
  CHECK(false, "a need without a word");
}

Status has_sets(const Records& records, const Key& key, std::string_view whose) {
  for (const std::string_view set : key.sets) {
    const auto found = records.find(std::string(set));
    if (found == records.end() || found->second.empty())
      return fail(Code::kNotFound, fmt::format("needs {}records of the set '{}'", whose, set));
  }
  return {};
}

Result<double> compute(const Metric& metric, const Key& key, const Evaluation& evaluation) {
  TRY(has_sets(evaluation.records, key, ""));
  if (std::ranges::find(key.needs, Need::kReference) != key.needs.end()) {
    if (!evaluation.reference)
      return fail(Code::kNotFound,
                  "needs the records of a retain-only model (--retain-model or --retain-logs)");
    TRY(has_sets(*evaluation.reference, key, "the retain-only model's "));
  }
  const double number = TRY(metric.compute(evaluation, key));
  if (!std::isfinite(number))
    return fail(Code::kNumeric, fmt::format("{} comes out as {}", key.name, number));
  return number;
}

std::string reason(const base::Error& error) {
  std::string text = error.message;
  for (const std::string& where : error.trail) text = where + ": " + text;
  return text;
}

}  // namespace

std::vector<const Metric*> metrics() { return {std::begin(kMetrics), std::end(kMetrics)}; }

std::vector<Value> compute_metrics(const Evaluation& evaluation) {
  std::vector<Value> values;
  for (const Metric* metric : kMetrics) {
    for (const Key& key : metric->keys)
      values.push_back({key.name, compute(*metric, key, evaluation)});
  }
  return values;
}

Result<double> value(const Evaluation& evaluation, std::string_view key) {
  for (const Metric* metric : kMetrics) {
    const auto found = std::ranges::find(metric->keys, key, &Key::name);
    if (found != metric->keys.end()) return compute(*metric, *found, evaluation);
  }
  return fail(Code::kUsage, fmt::format("no metric gives '{}'", key), "see expunge metrics");
}

Json to_json(const std::vector<Value>& values) {
  Json summary = Json::object(), absent = Json::object();
  for (const auto& [key, number] : values) {
    if (number)
      summary[std::string(key)] = *number;
    else
      absent[std::string(key)] = reason(number.error());
  }
  return {{"summary", std::move(summary)}, {"absent", std::move(absent)}};
}

Json definitions() {
  Json all = Json::array();
  for (const Metric* metric : kMetrics) {
    Json keys = Json::array();
    for (const Key& key : metric->keys) {
      Json needs = Json::array();
      for (const Need need : key.needs) needs.push_back(word(need));
      keys.push_back({{"key", key.name}, {"sets", key.sets}, {"needs", std::move(needs)}});
    }
    all.push_back({{"name", metric->name},
                   {"what", metric->what},
                   {"citation", metric->citation},
                   {"keys", std::move(keys)}});
  }
  return all;
}

Result<double> mean_of(const Records& records, std::string_view set, Measure f) {
  return mean(TRY(measure(records, set, f)));
}

Result<double> attack_auc(const Records& records, Measure score) {
  const std::vector<double> forget = TRY(measure(records, "forget", score));
  const std::vector<double> holdout = TRY(measure(records, "holdout", score));
  return roc_auc(forget, holdout);
}

}  // namespace expunge::verify
