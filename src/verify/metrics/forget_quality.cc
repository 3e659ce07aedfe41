// forget_quality: whether the model can be distinguished from one that never saw the forget set.
//   p-value of a two-sample, two-sided, exact Kolmogorov-Smirnov test between the truth ratios of
//   the two models on the forget set.
// TOFU arXiv 2401.06121 sec. 2.2.3. The test depends on the order of R alone, hence ln R is
// compared. The p-value of a ruined model underflows, its logarithm does not.
#include "verify/metric.h"
#include "verify/statistics.h"

namespace expunge::verify {
namespace {

base::Result<double> log_ratio(const QaRecord& record) {
  return log_truth_ratio(record, Truth::kParaphrase);
}

base::Result<Figure> compute(const MetricInput& e, const Key& key) {
  const std::vector<double> model = TRY(measure(e.records, "forget", log_ratio));
  const std::vector<double> reference =
      TRY_AT("the retain-only model's records", measure(*e.retain, "forget", log_ratio));
  const Ks ks = TRY(ks_two_sample(model, reference));
  if (key.name == "forget_quality") return ks.p_value;
  return key.name == "forget_quality_log10" ? ks.log10_p : ks.statistic;
}

}  // namespace

extern const Metric metric_forget_quality;
const Metric metric_forget_quality{
    "forget_quality",
    "Kolmogorov-Smirnov p-value of truth ratios against a retain-only model",
    "TOFU arXiv 2401.06121 sec. 2.2.3",
    {{"forget_quality", {"forget"}, {Need::kRetainModel, Need::kPerturbed}},
     {"forget_quality_log10", {"forget"}, {Need::kRetainModel, Need::kPerturbed}},
     {"forget_quality_ks", {"forget"}, {Need::kRetainModel, Need::kPerturbed}}},
    compute};

}  // namespace expunge::verify
