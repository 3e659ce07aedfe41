// prob_mean: the share of the correct answer in the probability of correct and wrong ones.
//   P = mean over records of p_c / (p_c + p_w),  p_c = exp(-avg_loss(paraphrase)),
//   p_w = exp(-mean_j avg_loss(perturbed_j)), that is 1 / (1 + R) of the truth ratio R.
// open-unlearning arXiv 2506.12618 (its truth_ratio with the aggregator prob_mean): how much the
// model still knows; 1/2 if it cannot distinguish them. Unlike option_probability, which TOFU
// defines on the answer itself, wrong ones count by their geometric mean, not by their sum, so that
// their number does not matter. Its 1e-10 in the denominator is left out, as in truth_ratio.
#include <cmath>

#include "verify/metric.h"
#include "verify/statistics.h"

namespace expunge::verify {
namespace {

base::Result<Figure> compute(const MetricInput& e, const Key& key) {
  const std::string_view set = key.sets[0];
  std::vector<double> shares = TRY(measure(e.records, set, [set](const QaRecord& record) {
    return log_truth_ratio(record, truth_of(set));
  }));
  for (double& s : shares) s = 1 / (1 + std::exp(s));  // 0 where it overflows
  return mean(shares);
}

}  // namespace

extern const Metric metric_prob_mean;
const Metric metric_prob_mean{"prob_mean",
                              "probability of the correct answer among correct and wrong ones",
                              "open-unlearning arXiv 2506.12618",
                              {{"forget_prob_mean", {"forget"}, {Need::kPerturbed}},
                               {"retain_prob_mean", {"retain"}, {Need::kPerturbed}},
                               {"ra_prob_mean", {"real_authors"}, {Need::kPerturbed}},
                               {"wf_prob_mean", {"world_facts"}, {Need::kPerturbed}}},
                              compute};

}  // namespace expunge::verify
