// Figures of a single record; the metrics are means and tests over these.
//
// Where they look at tokens one by one, the end-of-turn token is left out, as open-unlearning does
// (github.com/locuslab/open-unlearning, evals/metrics/utils.py, tokenwise_logprobs); avg_loss keeps
// it. Errors: kNotFound for what the record lacks, kNumeric for a number that is not finite,
// kUnsupported where the measure does not apply to such a record.
#pragma once

#include "base/error.h"
#include "verify/record.h"

namespace expunge::verify {

using Measure = base::Result<double> (*)(const QaRecord&);

base::Result<double> loss(const QaRecord& record);
base::Result<double> probability(const QaRecord& record);  // exp(-avg_loss)
// p_true / (p_true + sum p_wrong), TOFU arXiv 2401.06121 sec. 2.2.1.
base::Result<double> option_probability(const QaRecord& record);
// ROUGE-L. kUnsupported for an answer whose letters are mostly not from a to z: rouge-score keeps a
// to z and 0 to 9 alone, so that an answer in another script is scored by its digits, or gives 0
// when it is repeated word for word.
base::Result<double> rouge_recall(const QaRecord& record);

// The wording of the truth that the truth ratio compares with. Real authors and world facts have no
// paraphrase; TOFU's logs repeat the answer's loss there, from another pass.
enum class Truth { kParaphrase, kParaphraseOrAnswer };
Truth truth_of(std::string_view set);
// ln R, R = exp(-mean_j avg_loss(perturbed_j)) / exp(-avg_loss(truth)): TOFU arXiv 2401.06121
// eq. 1 with the geometric mean of its code. The logarithm, since a model that has collapsed has
// losses whose powers overflow.
base::Result<double> log_truth_ratio(const QaRecord& record, Truth truth);

// Share of positions at which the model's first choice is the token: arXiv 2205.10770 sec. 3.
base::Result<double> exact_memorization(const QaRecord& record);
// 1 - k/|y|, k the least position from which on every first choice is the token (Carlini et al.,
// arXiv 2012.07805; as a measure arXiv 2406.09179). 0 where the last one is not: open-unlearning's
// loop ends one position early and gives 1/|y| there.
base::Result<double> extraction_strength(const QaRecord& record);

// Scores of membership attacks: the higher, the less likely the text was trained on.
// Loss over the bytes of the answer when compressed (arXiv 2012.07805 sec. 5.2).
base::Result<double> zlib_loss(const QaRecord& record);
// -mean of the least 40 % of log-probs (arXiv 2310.16789 eq. 1; k as in open-unlearning).
base::Result<double> min_k(const QaRecord& record);
// The same of (log p - mean) / deviation under the model's own distribution (arXiv 2404.02936,
// sec. 4; variance at least 1e-6 as in open-unlearning).
base::Result<double> min_k_plus_plus(const QaRecord& record);

}  // namespace expunge::verify
