#include "verify/metric.h"

#include <algorithm>
#include <cmath>
#include <utility>

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
    case Need::kRetainModel:
      return "retain_model";
    case Need::kPerturbed:
      return "perturbed";
    case Need::kTokens:
      return "tokens";
    case Need::kGenerations:
      return "generations";
  }
  CHECK(false, "a need without a word");
}

Status has_sets(const QaRecords& records, const Key& key, std::string_view whose) {
  for (const std::string_view set : key.sets) {
    const auto found = records.find(std::string(set));
    if (found == records.end() || found->second.empty())
      return fail(Code::kNotFound, fmt::format("needs {}records of the set '{}'", whose, set));
  }
  return {};
}

Result<Figure> compute(const Metric& metric, const Key& key, const MetricInput& input) {
  TRY(has_sets(input.records, key, ""));
  if (std::ranges::find(key.needs, Need::kRetainModel) != key.needs.end()) {
    if (!input.retain)
      return fail(Code::kNotFound,
                  "needs the records of a retain-only model (--retain-model or --retain-logs)");
    TRY(has_sets(*input.retain, key, "the retain-only model's "));
  }
  Figure figure = TRY(metric.compute(input, key));
  if (!std::isfinite(figure.number))
    return fail(Code::kNumeric, fmt::format("{} comes out as {}", key.name, figure.number));
  return figure;
}

}  // namespace

std::vector<const Metric*> metrics() { return {std::begin(kMetrics), std::end(kMetrics)}; }

Figures compute_metrics(const MetricInput& input) {
  Figures figures;
  for (const Metric* metric : kMetrics) {
    for (const Key& key : metric->keys)
      figures.values.push_back({std::string(key.name), compute(*metric, key, input)});
  }
  return figures;
}

Result<Figure> figure(const MetricInput& input, std::string_view key) {
  for (const Metric* metric : kMetrics) {
    const auto found = std::ranges::find(metric->keys, key, &Key::name);
    if (found != metric->keys.end()) return compute(*metric, *found, input);
  }
  return fail(Code::kUsage, fmt::format("no metric gives '{}'", key), "see expunge metrics");
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

base::Error at_record(std::string_view set, const QaRecord& record, base::Error error) {
  error.message = fmt::format("{} row {}: {}", set, record.row, error.message);
  return error;
}

Result<Figure> mean_of(const QaRecords& records, std::string_view set, Measure f) {
  const std::vector<QaRecord>& all = records.at(std::string(set));
  std::vector<double> values;
  std::string first;  // of those that are left out
  for (const QaRecord& record : all) {
    Result<double> value = f(record);
    if (value) {
      values.push_back(*value);
      continue;
    }
    base::Error error = at_record(set, record, std::move(value.error()));
    if (error.code != Code::kUnsupported) return tl::unexpected<base::Error>(std::move(error));
    if (first.empty()) first = error.message;
  }
  const size_t n = all.size() - values.size();
  const std::string left_out =
      n == 0 ? "" : fmt::format("{} of {} records ({})", n, all.size(), first);
  if (values.empty()) return fail(Code::kNotFound, "says nothing about " + left_out);
  return Figure(mean(values), left_out);
}

Result<double> attack_auc(const QaRecords& records, Measure score) {
  const std::vector<double> forget = TRY(measure(records, "forget", score));
  const std::vector<double> holdout = TRY(measure(records, "holdout", score));
  return roc_auc(forget, holdout);
}

}  // namespace expunge::verify
