// tdec: how much of given sequences the model reproduces (verify/extraction.h).
#include "text/sequence_set.h"
#include "verify/extraction.h"
#include "verify/suite.h"

namespace expunge::verify {
namespace {

using base::Json;
using Records = std::vector<ExtractionRecord>;

constexpr size_t kGram = 10;  // as the paper has it

base::Result<Work> prepare_tdec(const SuiteValues& values) {
  const std::string file = values.data();
  const auto texts = TRY(text::read_texts(file, TRY(values.limit())));
  Work work;
  for (size_t row = 0; row < texts.size(); ++row)
    work.items[std::to_string(row)] = hash_of(texts[row]);
  const auto pass = [file, texts](const model::ChatModel& chat_model, Records done,
                                  const PassOptions<Records>& how,
                                  const base::Job& job) -> base::Result<Outcome<Records>> {
    ExtractionOptions options;
    options.n = kGram;
    options.shard = how.shard;
    options.keep = how.keep;
    Extraction result = TRY_AT(file, extraction(chat_model, texts, options, std::move(done), job));
    Figures figures = figures_of(result);
    return Outcome<Records>{std::move(result.records), std::move(figures)};
  };
  const auto to_json = [](const Records& records) {
    return extraction_records_to_json(records, kGram);
  };
  const auto from_json = [](const Json& json, std::string_view where) {
    return extraction_records_from_json(json, kGram, where);
  };
  work.run = run_on<Records>({to_json, from_json}, pass);
  return work;
}

}  // namespace

extern const Suite suite_tdec;
const Suite suite_tdec{"tdec",
                       "extraction likelihood and memorisation accuracy of sequences",
                       "--data: a CSV with a column text, or JSON lines of it",
                       "Jang et al. 2023, arXiv 2210.01504, eq. 2 to 4",
                       {kData, kLimit},
                       prepare_tdec};

}  // namespace expunge::verify
