// option_probability: the true answer's share of the probability of all offered answers.
//   P = mean over records of p_true / (p_true + sum p_wrong), p length-normalised.
// TOFU arXiv 2401.06121 sec. 2.2.1, for real authors and world facts.
#include "verify/metric.h"

namespace expunge::verify {

extern const Metric metric_option_probability;
const Metric metric_option_probability{
    "option_probability",
    "probability of the true answer among true and wrong ones",
    "TOFU arXiv 2401.06121 sec. 2.2.1",
    {{"ra_Q_A_Prob_normalised", {"real_authors"}, {Need::kPerturbed}},
     {"wf_Q_A_Prob_normalised", {"world_facts"}, {Need::kPerturbed}}},
    [](const MetricInput& e, const Key& key) {
      return mean_of(e.records, key.sets[0], option_probability);
    }};

}  // namespace expunge::verify
