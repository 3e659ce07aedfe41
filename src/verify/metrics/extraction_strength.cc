// extraction_strength: how long an ending of the answer the model completes by itself.
//   ES = 1 - k/|y|, k the least prefix length from which greedy choices yield the rest; mean over
//   records.
// Carlini et al. arXiv 2012.07805; Wang et al. arXiv 2406.09179; open-unlearning arXiv 2506.12618.
#include "verify/metric.h"

namespace expunge::verify {

extern const Metric metric_extraction_strength;
const Metric metric_extraction_strength{"extraction_strength",
                                        "share of the answer that greedy choices yield to its end",
                                        "arXiv 2012.07805; arXiv 2406.09179",
                                        {{"extraction_strength", {"forget"}, {Need::kTokens}}},
                                        [](const MetricInput& e, const Key& key) {
                                          return mean_of(e.records, key.sets[0],
                                                         extraction_strength);
                                        }};

}  // namespace expunge::verify
