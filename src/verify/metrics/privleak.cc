// privleak: how far membership leaks more or less than from a retain-only model, in percent.
//   100 ((1 - AUC) - (1 - AUC_retrain)) / (1 - AUC_retrain), AUC that of Min-K %.
// MUSE arXiv 2407.06460 sec. 3, whose AUC is one minus ours. Below 0: too little was forgotten.
#include "verify/metric.h"

namespace expunge::verify {
namespace {

base::Result<Figure> compute(const MetricInput& e, const Key&) {
  const double model = 1 - TRY(attack_auc(e.records, min_k));
  const double reference =
      1 - TRY_AT("the retain-only model's records", attack_auc(*e.retain, min_k));
  if (reference == 0)
    return base::fail(base::Code::kNumeric,
                      "the retain-only model's own AUC is 1: nothing to be relative to");
  return 100 * (model - reference) / reference;
}

}  // namespace

extern const Metric metric_privleak;
const Metric metric_privleak{
    "privleak",
    "excess of membership leakage over a retain-only model, in percent",
    "MUSE arXiv 2407.06460 sec. 3",
    {{"privleak", {"forget", "holdout"}, {Need::kRetainModel, Need::kTokens}}},
    compute};

}  // namespace expunge::verify
