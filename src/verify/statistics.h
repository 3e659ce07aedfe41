// The statistics of the metrics, over plain numbers.
#pragma once

#include <span>

#include "base/error.h"

namespace expunge::verify {

struct Ks {
  double statistic = 0;  // D, the largest gap between the two empirical distributions
  double p_value = 1;    // may underflow to 0; log10_p does not
  double log10_p = 0;
};
// Two-sample, two-sided, exact Kolmogorov-Smirnov test: scipy.stats.ks_2samp(method="exact").
// Errors: an empty sample, a number that is not finite; unequal sizes whose product exceeds
// kMaxKsCells, where scipy would turn to an approximation.
inline constexpr double kMaxKsCells = 1e8;  // a second or two
base::Result<Ks> ks_two_sample(std::span<const double> a, std::span<const double> b);

// P(positive > negative) + P(positive = negative) / 2 over all pairs, the area under the ROC curve.
// Errors: an empty class, a number that is not finite.
base::Result<double> roc_auc(std::span<const double> negative, std::span<const double> positive);

// Of at least one value, each finite.
double mean(std::span<const double> values);
// Also each at least 0; 0 if one of them is 0.
double harmonic_mean(std::span<const double> values);

}  // namespace expunge::verify
