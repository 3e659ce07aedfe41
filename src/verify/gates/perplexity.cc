// How well the edited model reads plain text, as a ratio to the base model's perplexity.
#include <cmath>

#include "verify/gate.h"

namespace expunge::verify {
namespace {

base::Result<double> figure(const Observed& o) {
  if (!o.texts_nll || !o.base_texts_nll)
    return base::fail(base::Code::kNotFound, "no texts were given");
  return std::exp(*o.texts_nll - *o.base_texts_nll);
}

}  // namespace

extern const Gate gate_perplexity;
const Gate gate_perplexity{
    .name = "perplexity",
    .section = Section::kLanguage,
    .label = "perplexity ratio",
    .what = "perplexity of plain text with the edit over that without",
    .citation = "exp(nll' - nll) of two texts; 1.00 for 24 sound edits (docs/results.md)",
    .bound = 1.05,
    .sense = Sense::kAtMost,
    .unit = Unit::kRatio,
    .low = 1,
    .high = 100,
    .figure = figure,
};

}  // namespace expunge::verify
