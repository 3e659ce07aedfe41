// probability: how likely the model finds the true answer, per token.
//   P = mean over records of exp(-avg_loss), avg_loss over the answer with its end token.
// TOFU arXiv 2401.06121 sec. 2.2.1, P(a|q)^(1/|a|).
#include "verify/metric.h"

namespace expunge::verify {

extern const Metric metric_probability;
const Metric metric_probability{"probability",
                                "length-normalised probability of the true answer",
                                "TOFU arXiv 2401.06121 sec. 2.2.1",
                                {{"forget_Q_A_Prob", {"forget"}}, {"retain_Q_A_Prob", {"retain"}}},
                                [](const MetricInput& e, const Key& key) {
                                  return mean_of(e.records, key.sets[0], probability);
                                }};

}  // namespace expunge::verify
