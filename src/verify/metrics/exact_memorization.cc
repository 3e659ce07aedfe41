// exact_memorization: share of the answer's tokens that are the model's first choice.
//   EM = 1/|y| sum_t [argmax p(. | x, y_<t) = y_t], mean over records.
// Tirumala et al. arXiv 2205.10770 sec. 3; open-unlearning arXiv 2506.12618.
#include "verify/metric.h"

namespace expunge::verify {

extern const Metric metric_exact_memorization;
const Metric metric_exact_memorization{"exact_memorization",
                                       "share of answer tokens that are the model's first choice",
                                       "arXiv 2205.10770 sec. 3",
                                       {{"exact_memorization", {"forget"}, {Need::kTokens}}},
                                       [](const MetricInput& e, const Key& key) {
                                         return mean_of(e.records, key.sets[0], exact_memorization);
                                       }};

}  // namespace expunge::verify
