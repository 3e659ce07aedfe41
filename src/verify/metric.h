// What a metric is: a pure function from records to numbers under keys.
//
// A metric is one file in metrics/ that defines `extern const Metric metric_<stem>`. It never runs
// a model and never sees the method it judges. What it cannot compute is absent with the reason,
// never a default number. Keys are those of open-unlearning's summaries where it has them, so that
// users' plotting scripts go on working.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "verify/measures.h"

namespace expunge::verify {

struct Evaluation {
  Records records;
  std::optional<Records> reference;  // of a model that never saw the forget set
};

enum class Need { kReference, kPerturbed, kTokens, kGenerations };

struct Key {
  std::string_view name;
  std::vector<std::string_view> sets;  // of the records, and of the reference if that is needed
  std::vector<Need> needs = {};
};

struct Metric {
  std::string_view name;      // file stem
  std::string_view what;      // one line
  std::string_view citation;  // paper and equation
  std::vector<Key> keys;
  // One key's number. Sets and reference are there when this is called.
  base::Result<double> (*compute)(const Evaluation& evaluation, const Key& key);
};

struct Value {
  std::string_view key;
  base::Result<double> number;  // or why it is absent
};

std::vector<const Metric*> metrics();
// Every key of every metric.
std::vector<Value> compute_metrics(const Evaluation& evaluation);
base::Result<double> value(const Evaluation& evaluation, std::string_view key);

// {"summary": {key: number}, "absent": {key: reason}}
base::Json to_json(const std::vector<Value>& values);
// [{"name", "what", "citation", "keys": [{"key", "sets", "needs"}]}]
base::Json definitions();

// For the files in metrics/. The measure of every record of a set; errors name the record.
template <class F>
base::Result<std::vector<double>> measure(const Records& records, std::string_view set, F&& f) {
  std::vector<double> values;
  for (const Record& record : records.at(std::string(set))) {
    base::Result<double> value = f(record);
    if (!value) {
      value.error().message = fmt::format("{} row {}: {}", set, record.row, value.error().message);
      return tl::unexpected<base::Error>(std::move(value.error()));
    }
    values.push_back(*value);
  }
  return values;
}
base::Result<double> mean_of(const Records& records, std::string_view set, Measure f);
// Area under ROC of an attack's scores of forget against holdout: 1 when every forget text looks
// more like training data than every holdout text (open-unlearning's evals/metrics/mia/utils.py).
base::Result<double> attack_auc(const Records& records, Measure score);

}  // namespace expunge::verify
