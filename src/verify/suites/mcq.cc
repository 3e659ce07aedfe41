// mcq: multiple choice by the answer's letter (verify/choices.h).
#include "verify/choices.h"
#include "verify/suite.h"

namespace expunge::verify {
namespace {

using base::Json;
using Records = std::vector<ChoiceRecord>;

Json content_of(const text::ChoiceItem& item) {
  return {item.subject, item.question, item.options, item.right};
}

base::Result<Work> prepare_mcq(const SuiteValues& values) {
  ChoiceOptions options;
  if (values.has("examples")) options.examples = TRY(text::read_choices(values.text("examples")));
  const auto items = TRY(text::read_choices(values.data(), TRY(values.limit())));
  Work work;
  Json examples = Json::array();
  for (const text::ChoiceItem& item : options.examples) examples.push_back(content_of(item));
  work.settings = {{"examples", hash_of(examples)}};
  for (const text::ChoiceItem& item : items)
    work.items[item.subject][std::to_string(item.row)] = hash_of(content_of(item));
  const auto pass = [options, items](const model::ChatModel& chat_model, Records done,
                                     const PassOptions<Records>& how,
                                     const base::Job& job) -> base::Result<Outcome<Records>> {
    ChoiceOptions own = options;
    own.shard = how.shard;
    own.keep = how.keep;
    Choices result = TRY(answer_choices(chat_model, items, own, std::move(done), job));
    Figures figures = figures_of(result);
    return Outcome<Records>{std::move(result.records), std::move(figures),
                            std::move(result.skipped)};
  };
  work.run = run_on<Records>({choice_records_to_json, choice_records_from_json}, pass);
  return work;
}

}  // namespace

extern const Suite suite_mcq;
const Suite suite_mcq{
    "mcq",
    "multiple choice by the answer's letter: MMLU, WMDP",
    "--data: a CSV or JSON-lines file, or a folder of them; --examples: worked ones",
    "Hendrycks et al. 2021, arXiv 2009.03300; Li et al. 2024, arXiv 2403.03218",
    {kData, kLimit, {"examples", "PATH", "worked examples, a file or folder"}},
    prepare_mcq};

}  // namespace expunge::verify
