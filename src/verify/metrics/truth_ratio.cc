// truth_ratio: whether wrong answers have become as likely as a paraphrase of the right one.
//   R = exp(-mean_j avg_loss(perturbed_j)) / exp(-avg_loss(truth))          (see log_truth_ratio)
//   forget: mean of min(R, 1/R), best at R = 1; elsewhere: mean of max(0, 1 - R), best at R = 0.
// TOFU arXiv 2401.06121 eq. 1 and sec. 2.2.2. open-unlearning adds 1e-10 to denominators, which
// makes R nearly 0 for a model whose probabilities have all fallen below that; the definition is
// kept here.
#include <cmath>

#include "verify/metric.h"
#include "verify/statistics.h"

namespace expunge::verify {
namespace {

base::Result<Figure> compute(const MetricInput& e, const Key& key) {
  const std::string_view set = key.sets[0];
  std::vector<double> scores = TRY(measure(e.records, set, [set](const QaRecord& record) {
    return log_truth_ratio(record, truth_of(set));
  }));
  for (double& s : scores)
    s = set == "forget" ? std::exp(-std::abs(s)) : std::max(0.0, -std::expm1(s));
  return mean(scores);
}

}  // namespace

extern const Metric metric_truth_ratio;
const Metric metric_truth_ratio{"truth_ratio",
                                "probability of wrong answers against a paraphrased right one",
                                "TOFU arXiv 2401.06121 eq. 1",
                                {{"forget_truth_ratio", {"forget"}, {Need::kPerturbed}},
                                 {"retain_Truth_Ratio", {"retain"}, {Need::kPerturbed}},
                                 {"ra_Truth_Ratio", {"real_authors"}, {Need::kPerturbed}},
                                 {"wf_Truth_Ratio", {"world_facts"}, {Need::kPerturbed}}},
                                compute};

}  // namespace expunge::verify
