// The evaluation logs of TOFU's first program: one section per data set, one column per number.
#include <array>

#include "verify/eval_log.h"
#include "verify/place.h"

namespace expunge::verify {
namespace {

using base::Json;
using base::Result;
using base::Status;

constexpr std::array<std::pair<const char*, const char*>, 4> kSections = {
    {{"eval_log.json", "retain"},
     {"eval_real_author_wo_options.json", "real_authors"},
     {"eval_real_world_wo_options.json", "world_facts"},
     {"eval_log_forget.json", "forget"}}};

Result<AnswerScore> summary_score(const Json& avg_loss, const Json& n_tokens, const Place& loss_at,
                                  const Place& count_at) {
  AnswerScore s;
  s.avg_loss = TRY(number(avg_loss, loss_at));
  s.n_tokens = TRY(count(n_tokens, count_at));
  return s;
}

struct Section {
  const Json& json;
  Place place;

  // Calls use(record, value, place) for every row of a column, in the order of `records`.
  template <class F>
  Status column(std::string_view key, std::vector<QaRecord>& records, F use) const {
    const Json& values = *TRY(member(json, key, place));
    const Place here = place.in(key);
    if (!values.is_object() || values.size() != records.size())
      return here.expected(fmt::format("an object of {} rows", records.size()), values);
    size_t next = 0;
    for (const auto& [row, value] : values.items()) {
      QaRecord& record = records[next++];
      if (std::to_string(record.row) != row)
        return here.expected(fmt::format("row {} in its turn", record.row), row);
      TRY(use(record, value, here.row(row)));
    }
    return {};
  }
  // A column of losses with its column of token counts.
  template <class F>
  Status scores(std::string_view losses, std::string_view counts, std::vector<QaRecord>& records,
                F use) const {
    std::vector<const Json*> n_tokens;
    TRY(column(counts, records, [&](QaRecord&, const Json& n, const Place&) -> Status {
      n_tokens.push_back(&n);
      return {};
    }));
    size_t next = 0;
    return column(losses, records, [&](QaRecord& record, const Json& j, const Place& at) -> Status {
      const Json& n = *n_tokens[next++];
      return use(record, j, n, at, place.in(counts).row(std::to_string(record.row)));
    });
  }
};

Status read_perturbed(QaRecord& record, const Json& losses, const Json& counts,
                      const Place& loss_at, const Place& count_at) {
  if (!losses.is_array()) return loss_at.expected("a list", losses);
  if (!counts.is_array() || counts.size() != losses.size())
    return count_at.expected(fmt::format("a list of {} items", losses.size()), counts);
  for (size_t i = 0; i < losses.size(); ++i)
    record.perturbed.push_back(TRY(summary_score(losses[i], counts[i], loss_at, count_at)));
  return {};
}

Status read_texts(QaRecord& record, const Json& texts, const Place& at) {
  if (!texts.is_array() || texts.size() != 3)
    return at.expected("[prompt, generation, answer]", texts);
  record.question = TRY(text(texts[0], at));
  record.generation = TRY(text(texts[1], at));
  record.answer = TRY(text(texts[2], at));
  return {};
}

Result<std::vector<QaRecord>> records_of(const Section& section) {
  std::vector<QaRecord> records;
  const Json& first = *TRY(member(section.json, "avg_gt_loss", section.place));
  TRY(is_object(first, section.place.in("avg_gt_loss")));
  for (const auto& [key, value] : first.items()) {
    QaRecord record;
    record.row = TRY(row_number(key, section.place.in("avg_gt_loss")));
    records.push_back(std::move(record));
  }
  if (records.empty()) return section.place.in("avg_gt_loss").expected("rows", first);
  const auto into = [](auto&& target) {
    return [target](QaRecord& r, const Json& j, const Json& n, const Place& at,
                    const Place& count_at) -> Status {
      target(r) = TRY(summary_score(j, n, at, count_at));
      return {};
    };
  };
  TRY(section.scores("avg_gt_loss", "num_token_gt", records,
                     into([](QaRecord& r) -> auto& { return r.score; })));
  TRY(section.scores("average_perturb_loss", "num_token_perturb", records, read_perturbed));
  TRY(section.scores("avg_paraphrased_loss", "num_token_paraphrased", records,
                     into([](QaRecord& r) -> auto& { return r.paraphrased; })));
  for (const auto& [key, field] : {std::pair{"rouge1_recall", &QaRecord::rouge1_recall},
                                   {"rougeL_recall", &QaRecord::rougeL_recall}})
    TRY(section.column(key, records,
                       [f = field](QaRecord& r, const Json& j, const Place& at) -> Status {
                         r.*f = TRY(fraction(j, at));
                         return {};
                       }));
  if (section.json.contains("generated_text"))
    TRY(section.column("generated_text", records, read_texts));
  return records;
}

}  // namespace

Result<QaRecords> records_from_tofu_log(const Json& json, std::string_view file) {
  const Place place{std::string(file)};
  TRY(is_object(json, place));
  QaRecords records;
  for (const auto& [section, set] : kSections) {
    const Json& columns = *TRY(member(json, section, place));
    TRY(is_object(columns, place.in(section)));
    records[set] = TRY(records_of({columns, place.in(section)}));
  }
  return records;
}

}  // namespace expunge::verify
