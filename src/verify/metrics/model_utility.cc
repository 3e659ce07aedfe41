// model_utility: what the model still knows, in one number.
//   harmonic mean of {retain, real authors, world facts} x {probability, ROUGE-L recall, truth
//   ratio}; 0 if one of the nine is 0.
// TOFU arXiv 2401.06121 sec. 2.2.2.
#include "verify/metric.h"
#include "verify/statistics.h"

namespace expunge::verify {
namespace {

constexpr std::string_view kParts[] = {
    "retain_Q_A_Prob",        "retain_Q_A_ROUGE", "retain_Truth_Ratio",
    "ra_Q_A_Prob_normalised", "ra_Q_A_ROUGE",     "ra_Truth_Ratio",
    "wf_Q_A_Prob_normalised", "wf_Q_A_ROUGE",     "wf_Truth_Ratio"};

base::Result<Figure> compute(const MetricInput& e, const Key&) {
  std::vector<double> parts;
  std::vector<std::string> left_out;
  for (const std::string_view part : kParts) {
    const Figure f = TRY(figure(e, part));
    parts.push_back(f.number);
    if (!f.left_out.empty()) left_out.push_back(fmt::format("{}: {}", part, f.left_out));
  }
  return Figure(harmonic_mean(parts), fmt::format("{}", fmt::join(left_out, "; ")));
}

}  // namespace

extern const Metric metric_model_utility;
const Metric metric_model_utility{"model_utility",
                                  "harmonic mean of nine scores on what must be kept",
                                  "TOFU arXiv 2401.06121 sec. 2.2.2",
                                  {{"model_utility",
                                    {"retain", "real_authors", "world_facts"},
                                    {Need::kPerturbed, Need::kGenerations}}},
                                  compute};

}  // namespace expunge::verify
