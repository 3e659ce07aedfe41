// open-unlearning's evaluation log TOFU_EVAL.json (github.com/locuslab/open-unlearning d3d7cf9,
// evals/metrics): a metric a key, in each {"agg_value", "value_by_index": {row: {…}}}. What is read
// are the losses and ROUGE of each row; our metrics are computed from these.
#include <algorithm>
#include <array>
#include <map>

#include "verify/eval_log.h"
#include "verify/place.h"

namespace expunge::verify {
namespace {

using base::Json;
using base::Result;
using base::Status;

constexpr std::array<std::pair<const char*, const char*>, 5> kSets = {{{"forget", "forget"},
                                                                       {"retain", "retain"},
                                                                       {"ra", "real_authors"},
                                                                       {"wf", "world_facts"},
                                                                       {"holdout", "holdout"}}};

// One loss, or a list with one per wrong answer.
Result<std::vector<AnswerScore>> scores(const Json& item, const Place& place) {
  TRY(is_object(item, place));
  const Json& losses = *TRY(member(item, "avg_loss", place));
  std::vector<AnswerScore> scores;
  for (const Json& loss : losses.is_array() ? losses : Json::array({losses})) {
    AnswerScore s;  // that log has no token counts
    s.avg_loss = TRY(number(loss, place.in("avg_loss")));
    scores.push_back(std::move(s));
  }
  return scores;
}

Result<AnswerScore> one_score(const Json& item, const Place& place) {
  const std::vector<AnswerScore> all = TRY(scores(item, place));
  if (all.size() != 1) return place.in("avg_loss").expected("one number", item["avg_loss"]);
  return all[0];
}

Status read_rouge(QaRecord& record, const Json& item, const Place& place) {
  TRY(is_object(item, place));
  for (const auto& [key, field] : {std::pair{"rouge1_recall", &QaRecord::rouge1_recall},
                                   {"rougeL_recall", &QaRecord::rougeL_recall},
                                   {"rougeL_f1", &QaRecord::rougeL_f1}})
    if (item.contains(key)) record.*field = TRY(fraction(item[key], place.in(key)));
  if (item.contains("input")) record.question = TRY(text(item["input"], place.in("input")));
  if (item.contains("ground_truth"))
    record.answer = TRY(text(item["ground_truth"], place.in("ground_truth")));
  if (item.contains("generation"))
    record.generation = TRY(text(item["generation"], place.in("generation")));
  return {};
}

class Log {
 public:
  Log(const Json& json, std::string_view file) : json_(json), place_{std::string(file)} {}

  bool has(const std::string& metric) const { return json_.contains(metric); }

  // use(record, item, place) for each row of a metric, if the log has the metric; the rows must be
  // those of `records`.
  template <class F>
  Status each(const std::string& metric, std::map<int64_t, QaRecord>& records, F use) const {
    if (!has(metric)) return {};
    const Place place = place_.in(metric);
    const Json& rows = *TRY(rows_of(metric));
    if (rows.size() != records.size())
      return place.expected(fmt::format("{} rows", records.size()), rows);
    for (const auto& [key, item] : rows.items()) {
      const auto record = records.find(TRY(row_number(key, place)));
      if (record == records.end()) return place.expected("rows as in the other metrics", key);
      TRY(use(record->second, item, place.row(key)));
    }
    return {};
  }

  Result<std::vector<QaRecord>> records(const std::string& prefix) const {
    const std::string metric = prefix + "_Q_A_Prob";
    std::map<int64_t, QaRecord> by_row;
    for (const auto& [key, item] : TRY(rows_of(metric))->items()) {
      const int64_t row = TRY(row_number(key, place_.in(metric)));
      by_row[row].row = row;
      by_row[row].score = TRY(one_score(item, place_.in(metric).row(key)));
    }
    TRY(each(prefix + "_Q_A_PARA_Prob", by_row,
             [](QaRecord& r, const Json& item, const Place& place) -> Status {
               r.paraphrased = TRY(one_score(item, place));
               return {};
             }));
    TRY(each(prefix + "_Q_A_PERT_Prob", by_row,
             [](QaRecord& r, const Json& item, const Place& place) -> Status {
               r.perturbed = TRY(scores(item, place));
               return {};
             }));
    TRY(each(prefix + "_Q_A_ROUGE", by_row, read_rouge));
    std::vector<QaRecord> records;
    for (auto& [row, record] : by_row) records.push_back(std::move(record));
    return records;
  }

 private:
  Result<const Json*> rows_of(const std::string& metric) const {
    const Place place = place_.in(metric);
    const Json& values = *TRY(member(json_, metric, place_));
    TRY(is_object(values, place));
    const Json* rows = TRY(member(values, "value_by_index", place));
    TRY(is_object(*rows, place.in("value_by_index")));
    return rows;
  }
  const Json& json_;
  Place place_;
};

}  // namespace

bool is_open_unlearning_log(const Json& json) {
  return json.is_object() && std::ranges::any_of(json, [](const Json& metric) {
           return metric.is_object() && metric.contains("value_by_index");
         });
}

Result<QaRecords> records_from_open_unlearning_log(const Json& json, std::string_view file) {
  const Log log(json, file);
  QaRecords records;
  for (const auto& [prefix, set] : kSets)
    if (log.has(std::string(prefix) + "_Q_A_Prob")) records[set] = TRY(log.records(prefix));
  if (records.empty())
    return base::fail(base::Code::kInvalid,
                      fmt::format("{} has no losses of single rows (forget_Q_A_Prob)", file),
                      "evaluate the model again with open-unlearning's TOFU suite, or with "
                      "expunge eval --parity open-unlearning --out DIR");
  return records;
}

}  // namespace expunge::verify
