#include "app/suites.h"

#include "base/files.h"
#include "text/sequence_set.h"
#include "verify/choices.h"
#include "verify/extraction.h"
#include "verify/perplexity.h"

namespace expunge::app {
namespace {

using base::Json;
using base::Result;

Result<Json> run_ppl(const model::Patient& patient, const SuiteInput& in) {
  verify::PerplexityOptions options;
  options.context = in.context;
  options.stride = in.stride;
  options.limit_tokens = static_cast<int64_t>(in.limit);
  options.progress = in.progress;
  const std::string text = TRY(base::read_file(in.data));
  return verify::perplexity_to_json(TRY(verify::perplexity(patient, text, options)));
}

Result<Json> run_mcq(const model::Patient& patient, const SuiteInput& in) {
  verify::ChoiceOptions options;
  if (!in.examples.empty()) options.examples = TRY(text::read_choices(in.examples));
  options.progress = in.progress;
  const auto items = TRY(text::read_choices(in.data, in.limit));
  return verify::choices_to_json(TRY(verify::answer_choices(patient, items, options)));
}

Result<Json> run_tdec(const model::Patient& patient, const SuiteInput& in) {
  verify::ExtractionOptions options;
  options.progress = in.progress;
  const auto texts = TRY(text::read_texts(in.data, in.limit));
  return verify::extraction_to_json(TRY(verify::extraction(patient, texts, options)));
}

constexpr Suite kSuites[] = {
    {"tofu", "fictitious authors: what was forgotten, what is kept, model utility",
     "--data: the folder of TOFU's JSON files", "Maini et al. 2024, arXiv 2401.06121", nullptr},
    {"mcq", "multiple choice by the answer's letter: MMLU, WMDP",
     "--data: a CSV or JSON-lines file, or a folder of them; --examples: worked ones",
     "Hendrycks et al. 2021, arXiv 2009.03300; Li et al. 2024, arXiv 2403.03218", run_mcq},
    {"ppl", "perplexity of a text in windows", "--data: a text file",
     "Jelinek et al. 1977; windows as in transformers' documentation", run_ppl},
    {"tdec", "extraction likelihood and memorisation accuracy of sequences",
     "--data: a CSV with a column text, or JSON lines of it",
     "Jang et al. 2023, arXiv 2210.01504, eq. 2 to 4", run_tdec},
};

}  // namespace

std::span<const Suite> suites() { return kSuites; }

}  // namespace expunge::app
