// What a metric is: a pure function from records to numbers under keys.
//
// A metric is one file in metrics/ that defines `extern const Metric metric_<stem>`. It never runs
// a model and never sees the method it judges. What it cannot compute is absent with the reason,
// never a default number. Keys are those of open-unlearning's summaries where it has them, so that
// users' plotting scripts keep working.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "verify/figures.h"
#include "verify/measures.h"

namespace expunge::verify {

struct MetricInput {
  QaRecords records;
  std::optional<QaRecords> retain;  // of the retain-only model, which never saw the forget set
};

enum class Need { kRetainModel, kPerturbed, kTokens, kGenerations };

struct Key {
  std::string_view name;
  std::vector<std::string_view> sets;  // of the records, and of the retain-only model's if needed
  std::vector<Need> needs = {};
};

struct Metric {
  std::string_view name;      // file stem
  std::string_view what;      // one line
  std::string_view citation;  // paper and equation
  std::vector<Key> keys;
  // One key's number. The sets, and the retain-only model's, are there when this is called.
  base::Result<Figure> (*compute)(const MetricInput& input, const Key& key);
};

std::vector<const Metric*> metrics();
// Every key of every metric.
Figures compute_metrics(const MetricInput& input);
base::Result<Figure> figure(const MetricInput& input, std::string_view key);
// [{"name", "what", "citation", "keys": [{"key", "sets", "needs"}]}]
base::Json definitions();

// For the files in metrics/.
// "forget row 3: " before the error's message.
base::Error at_record(std::string_view set, const QaRecord& record, base::Error error);
// The measure of every record of a set; errors name the record.
template <class F>
base::Result<std::vector<double>> measure(const QaRecords& records, std::string_view set, F&& f) {
  std::vector<double> values;
  for (const QaRecord& record : records.at(std::string(set))) {
    base::Result<double> value = f(record);
    if (!value)
      return tl::unexpected<base::Error>(at_record(set, record, std::move(value.error())));
    values.push_back(*value);
  }
  return values;
}
// The mean over the records of a set. Those that the measure does not apply to (kUnsupported) are
// left out and counted; absent where none is left.
base::Result<Figure> mean_of(const QaRecords& records, std::string_view set, Measure f);
// Area under ROC of an attack's scores of forget against holdout: 1 when every forget text looks
// more like training data than every holdout text (open-unlearning's evals/metrics/mia/utils.py).
base::Result<double> attack_auc(const QaRecords& records, Measure score);

}  // namespace expunge::verify
