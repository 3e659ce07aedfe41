#include "app/suites.h"

#include "app/share.h"
#include "app/tofu.h"
#include "base/files.h"
#include "text/sequence_set.h"
#include "verify/choices.h"
#include "verify/extraction.h"
#include "verify/perplexity.h"

namespace expunge::app {
namespace {

using base::Json;
using base::Result;

Result<Work> prepare_ppl(const SuiteInput& in) {
  const std::string text = TRY(base::read_file(in.data));
  Work work;
  // A text may not grow: its last window would be another one.
  work.settings = {{"context", in.context}, {"stride", in.stride}, {"limit", in.limit}};
  work.items = {{"windows", hash_of(text)}};
  work.run = [in, text](const model::ChatModel& patient, const Json& done,
                        const Keep& keep) -> Result<Json> {
    verify::PerplexityOptions options;
    options.context = in.context;
    options.stride = in.stride;
    options.limit_tokens = static_cast<int64_t>(in.limit);
    if (keep)
      options.keep = [&](auto records) { return keep(verify::window_records_to_json(records)); };
    return in_shares(in.group, done, [&](const Json& known, verify::Share share) -> Result<Json> {
      options.share = share;
      auto records = TRY(verify::window_records_from_json(known, "records"));
      return verify::perplexity_to_json(TRY(
          verify::perplexity(patient, text, options, std::move(records), base::Job(in.progress))));
    });
  };
  return work;
}

Result<Work> prepare_mcq(const SuiteInput& in) {
  verify::ChoiceOptions options;
  if (!in.examples.empty()) options.examples = TRY(text::read_choices(in.examples));
  options.progress = in.progress;
  const auto items = TRY(text::read_choices(in.data, in.limit));
  const auto content = [](const text::ChoiceItem& item) {
    return Json{item.subject, item.question, item.options, item.right};
  };
  Work work;
  Json examples = Json::array();
  for (const text::ChoiceItem& item : options.examples) examples.push_back(content(item));
  work.settings = {{"examples", hash_of(examples)}};
  for (const text::ChoiceItem& item : items)
    work.items[item.subject][std::to_string(item.row)] = hash_of(content(item));
  work.run = [in, options, items](const model::ChatModel& patient, const Json& done,
                                  const Keep& keep) -> Result<Json> {
    auto all = options;
    if (keep)
      all.keep = [&](auto records) { return keep(verify::choice_records_to_json(records)); };
    return in_shares(in.group, done, [&](const Json& known, verify::Share share) -> Result<Json> {
      all.share = share;
      auto records = TRY(verify::choice_records_from_json(known, "records"));
      return verify::choices_to_json(
          TRY(verify::answer_choices(patient, items, all, std::move(records))));
    });
  };
  return work;
}

Result<Work> prepare_tdec(const SuiteInput& in) {
  const auto texts = TRY(text::read_texts(in.data, in.limit));
  Work work;
  for (size_t row = 0; row < texts.size(); ++row)
    work.items[std::to_string(row)] = hash_of(texts[row]);
  work.run = [in, texts](const model::ChatModel& patient, const Json& done,
                         const Keep& keep) -> Result<Json> {
    verify::ExtractionOptions options;
    if (keep)
      options.keep = [&](auto records) {
        return keep(verify::extraction_records_to_json(records, options.n));
      };
    return in_shares(in.group, done, [&](const Json& known, verify::Share share) -> Result<Json> {
      options.share = share;
      auto records = TRY(verify::extraction_records_from_json(known, options.n, "records"));
      return verify::extraction_to_json(TRY(
          verify::extraction(patient, texts, options, std::move(records), base::Job(in.progress))));
    });
  };
  return work;
}

constexpr Suite kSuites[] = {
    {"tofu", "fictitious authors: what was forgotten, what is kept, model utility",
     "--data: the folder of TOFU's JSON files", "Maini et al. 2024, arXiv 2401.06121",
     prepare_tofu},
    {"mcq", "multiple choice by the answer's letter: MMLU, WMDP",
     "--data: a CSV or JSON-lines file, or a folder of them; --examples: worked ones",
     "Hendrycks et al. 2021, arXiv 2009.03300; Li et al. 2024, arXiv 2403.03218", prepare_mcq},
    {"ppl", "perplexity of a text in windows", "--data: a text file",
     "Jelinek et al. 1977; windows as in transformers' documentation", prepare_ppl},
    {"tdec", "extraction likelihood and memorisation accuracy of sequences",
     "--data: a CSV with a column text, or JSON lines of it",
     "Jang et al. 2023, arXiv 2210.01504, eq. 2 to 4", prepare_tdec},
};

}  // namespace

std::span<const Suite> suites() { return kSuites; }

}  // namespace expunge::app
