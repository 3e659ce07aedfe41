// rouge_recall: how much of the true answer the greedy reply contains.
//   ROUGE-L recall, |longest common subsequence| / |answer| in stemmed words, mean over records.
// Lin 2004, eq. 2; TOFU arXiv 2401.06121 sec. 2.2.1. The records hold the scores (verify/rouge.h).
#include "verify/metric.h"

namespace expunge::verify {

extern const Metric metric_rouge_recall;
const Metric metric_rouge_recall{"rouge_recall",
                                 "ROUGE-L recall of the greedy reply against the true answer",
                                 "Lin 2004 eq. 2; TOFU arXiv 2401.06121 sec. 2.2.1",
                                 {{"forget_Q_A_ROUGE", {"forget"}, {Need::kGenerations}},
                                  {"retain_Q_A_ROUGE", {"retain"}, {Need::kGenerations}},
                                  {"ra_Q_A_ROUGE", {"real_authors"}, {Need::kGenerations}},
                                  {"wf_Q_A_ROUGE", {"world_facts"}, {Need::kGenerations}}},
                                 [](const MetricInput& e, const Key& key) {
                                   return mean_of(e.records, key.sets[0], rouge_recall);
                                 }};

}  // namespace expunge::verify
