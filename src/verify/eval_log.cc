#include "verify/eval_log.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "verify/measures.h"
#include "verify/place.h"

namespace expunge::verify {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

// Numbers of each token: none, or n.
Result<std::vector<double>> numbers(const Json& j, std::string_view key, int64_t n,
                                    const Place& place) {
  std::vector<double> values;
  const auto found = j.find(key);
  if (found == j.end()) return values;
  const Place here = place.in(key);
  if (!found->is_array() || found->size() != static_cast<size_t>(n))
    return here.expected(fmt::format("a list of n_tokens = {} items", n), *found);
  for (const Json& item : *found) values.push_back(TRY(number(item, here)));
  return values;
}

Result<AnswerScore> score_from(const Json& j, const Place& place) {
  TRY(is_object(j, place));
  AnswerScore s;
  s.avg_loss = TRY(number(*TRY(member(j, "avg_loss", place)), place.in("avg_loss")));
  if (const auto n = j.find("n_tokens"); n != j.end())
    s.n_tokens = TRY(count(*n, place.in("n_tokens")));
  s.logprobs = TRY(numbers(j, "logprobs", s.n_tokens, place));
  s.mean = TRY(numbers(j, "mean", s.n_tokens, place));
  s.variance = TRY(numbers(j, "variance", s.n_tokens, place));
  const auto greedy = j.find("greedy");
  if (greedy == j.end()) return s;
  if (!greedy->is_array() || greedy->size() != static_cast<size_t>(s.n_tokens))
    return place.in("greedy").expected(fmt::format("a list of n_tokens = {} items", s.n_tokens),
                                       *greedy);
  for (const Json& item : *greedy) {
    if (!item.is_boolean()) return place.in("greedy").expected("true or false", item);
    s.greedy.push_back(item.get<bool>());
  }
  return s;
}

constexpr std::array<std::string_view, 7> kScoreKeys = {
    "prob", "avg_loss", "n_tokens", "logprobs", "greedy", "mean", "variance"};
constexpr std::array<std::string_view, 9> kItemKeys = {
    "question",   "answer",        "paraphrased",   "perturbed", "truth_ratio",
    "generation", "rouge1_recall", "rougeL_recall", "rougeL_f1"};

// A mistyped key would be skipped silently.
Status known_keys(const Json& j, std::span<const std::string_view> more, const Place& place) {
  for (const auto& [key, value] : j.items()) {
    if (std::ranges::find(kScoreKeys, key) == kScoreKeys.end() &&
        std::ranges::find(more, key) == more.end())
      return fail(Code::kInvalid, fmt::format("{}: unknown key '{}'", place.text, key));
  }
  return {};
}

Result<AnswerScore> variant_from(const Json& j, const Place& place) {
  AnswerScore s = TRY(score_from(j, place));
  TRY(known_keys(j, {}, place));
  return s;
}

Result<QaRecord> record_from(const Json& j, int64_t row, const Place& place) {
  QaRecord r;
  r.row = row;
  r.score = TRY(score_from(j, place));
  TRY(known_keys(j, kItemKeys, place));
  r.question = TRY(text(*TRY(member(j, "question", place)), place.in("question")));
  r.answer = TRY(text(*TRY(member(j, "answer", place)), place.in("answer")));
  const auto optional = [&](std::string_view key) {
    return j.contains(key) ? &j.at(key) : nullptr;
  };
  if (const Json* v = optional("paraphrased"))
    r.paraphrased = TRY(variant_from(*v, place.in("paraphrased")));
  if (const Json* v = optional("perturbed")) {
    if (!v->is_array()) return place.in("perturbed").expected("a list", *v);
    for (const Json& wrong : *v)
      r.perturbed.push_back(TRY(variant_from(wrong, place.in("perturbed"))));
  }
  if (const Json* v = optional("generation")) r.generation = TRY(text(*v, place.in("generation")));
  for (const auto& [key, field] : {std::pair{"rouge1_recall", &QaRecord::rouge1_recall},
                                   {"rougeL_recall", &QaRecord::rougeL_recall},
                                   {"rougeL_f1", &QaRecord::rougeL_f1}})
    if (const Json* v = optional(key)) r.*field = TRY(fraction(*v, place.in(key)));
  return r;
}

Json score_to(const AnswerScore& s) {
  Json j = {{"prob", s.prob()}, {"avg_loss", s.avg_loss}};
  if (s.n_tokens > 0) j["n_tokens"] = s.n_tokens;
  if (!s.logprobs.empty()) j["logprobs"] = s.logprobs;
  if (!s.greedy.empty()) j["greedy"] = s.greedy;
  if (!s.mean.empty()) j["mean"] = s.mean;
  if (!s.variance.empty()) j["variance"] = s.variance;
  return j;
}

Json record_to(const QaRecord& r, Truth truth) {
  Json j = {{"question", r.question}, {"answer", r.answer}};
  j.update(score_to(r.score));
  if (r.paraphrased) j["paraphrased"] = score_to(*r.paraphrased);
  for (const AnswerScore& wrong : r.perturbed) j["perturbed"].push_back(score_to(wrong));
  if (const auto ratio = log_truth_ratio(r, truth)) j["truth_ratio"] = std::exp(*ratio);
  if (r.generation) j["generation"] = *r.generation;
  if (r.rouge1_recall) j["rouge1_recall"] = *r.rouge1_recall;
  if (r.rougeL_recall) j["rougeL_recall"] = *r.rougeL_recall;
  if (r.rougeL_f1) j["rougeL_f1"] = *r.rougeL_f1;
  return j;
}

}  // namespace

Json records_to_json(const QaRecords& records) {
  Json json = Json::object();
  for (const auto& [set, items] : records) {
    Json& rows = json[set] = Json::object();
    for (const QaRecord& record : items)
      rows[std::to_string(record.row)] = record_to(record, truth_of(set));
    CHECK(rows.size() == items.size(), "{}: a row twice", set);
  }
  return json;
}

Result<QaRecords> records_from_json(const Json& json, std::string_view file) {
  const Place place{std::string(file)};
  TRY(is_object(json, place));
  if (json.empty()) return fail(Code::kInvalid, place.text + ": no records");
  QaRecords records;
  for (const auto& [set, rows] : json.items()) {
    const Place in_set = place.in(set);
    TRY(is_object(rows, in_set));
    std::vector<QaRecord>& items = records[set];
    for (const auto& [key, item] : rows.items()) {
      const int64_t row = TRY(row_number(key, in_set));
      items.push_back(TRY(record_from(item, row, in_set.row(key))));
    }
  }
  return records;
}

Result<EvalLog> read_log(const std::string& path) {
  const Json json = TRY(base::read_json(path));
  const auto has = [&](const char* key) { return json.is_object() && json.contains(key); };
  EvalLog log;
  if (has("eval_log_forget.json")) {
    log.records = TRY(records_from_tofu_log(json, path));
    return log;
  }
  if (is_open_unlearning_log(json)) {
    log.records = TRY(records_from_open_unlearning_log(json, path));
    return log;
  }
  auto records = records_from_json(has("records") ? json["records"] : json, path);
  if (!records && records.error().hint.empty())
    records.error().hint =
        "a log is an evaluation.json of expunge eval, open-unlearning's TOFU_EVAL.json, or TOFU's "
        "eval_log_aggregated.json";
  log.records = TRY(std::move(records));
  if (has("skipped")) log.skipped = TRY(skipped_from_json(json["skipped"], path));
  return log;
}

}  // namespace expunge::verify
