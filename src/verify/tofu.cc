#include "verify/tofu.h"

#include <algorithm>
#include <array>
#include <memory>

#include "verify/eval_log.h"
#include "verify/metric.h"
#include "verify/same_questions.h"

namespace expunge::verify {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

constexpr std::array<std::string_view, 5> kSetNames = {"forget", "retain", "real_authors",
                                                       "world_facts", "holdout"};
// With perturbed answers if there are any.
constexpr std::string_view kPerturbedFirst[] = {"_perturbed.json", ".json"};

Result<std::vector<QaSet>> sets_of(const TofuOptions& o) {
  std::vector<std::string> wanted = o.sets;
  if (wanted.empty()) {
    wanted.assign(kSetNames.begin(), kSetNames.end());
    if (o.holdout.empty()) wanted.pop_back();
  }
  for (const std::string& name : wanted)
    if (std::ranges::find(kSetNames, name) == kSetNames.end())
      return fail(Code::kUsage, fmt::format("no set '{}'", name),
                  fmt::format("--sets takes {}", fmt::join(kSetNames, ",")));
  std::vector<QaSet> sets;
  for (const std::string& name : wanted) {
    const std::string split = name == "forget"    ? o.forget
                              : name == "retain"  ? o.retain
                              : name == "holdout" ? o.holdout
                                                  : name;
    if (split.empty()) return fail(Code::kUsage, "a holdout set needs --holdout FILE", "");
    const std::string file = TRY(text::qa_file(o.data, split, kPerturbedFirst));
    auto items = TRY(text::read_qa(file, o.limit));
    sets.push_back({name, std::move(items), file});
  }
  return sets;
}

Json items_of(const std::vector<QaSet>& sets) {
  Json items = Json::object();
  for (const QaSet& set : sets)
    for (const text::QaItem& item : set.items)
      items[set.name][std::to_string(item.row)] =
          hash_of({item.question, item.answer, item.paraphrased ? Json(*item.paraphrased) : Json(),
                   item.perturbed});
  return items;
}

Questions questions_of(const std::vector<QaSet>& sets) {
  Questions questions;
  for (const QaSet& set : sets)
    for (const text::QaItem& item : set.items) questions[set.name][item.row] = item.question;
  return questions;
}

// The retain-only model's records from its log, once that is known to have these questions.
Result<QaRecords> read_retain(const std::string& file, const Questions& own, Compare compare) {
  EvalLog log = TRY(read_log(file));
  if (compare == Compare::kSameQuestions) TRY(same_questions(own, verify::questions_of(log), file));
  return std::move(log.records);
}

// Only these metrics; none = all. kUsage for one that does not exist.
Result<Figures> figures_of(const MetricInput& input, const std::vector<std::string>& metrics) {
  Figures figures = compute_metrics(input);
  for (const std::string& wanted : metrics)
    if (std::ranges::find(figures.values, wanted, &Value::key) == figures.values.end())
      return fail(Code::kUsage, fmt::format("no metric '{}'", wanted),
                  "expunge metrics lists their keys");
  if (!metrics.empty())
    std::erase_if(figures.values, [&](const Value& v) {
      return std::ranges::find(metrics, v.key) == metrics.end();
    });
  return figures;
}

class Tofu {
 public:
  Tofu(TofuOptions o, std::vector<QaSet> sets) : o_(std::move(o)), sets_(std::move(sets)) {}

  // Finds what is wrong with the log of the retain-only model before a model is loaded.
  base::Status read_logs() {
    if (o_.retain_logs.empty()) return {};
    input_.retain = TRY(read_retain(o_.retain_logs, questions_of(sets_), o_.compare));
    return {};
  }

  Result<Outcome<QaRecords>> run(const model::ChatModel& chat_model, QaRecords done,
                                 const PassOptions<QaRecords>& how, const base::Job& job) {
    if (!o_.retain_model.empty() && !input_.retain)
      input_.retain = TRY(retain_records(how.group, job));
    EvaluateOptions options;
    options.system = o_.system;
    options.parity = o_.parity;
    options.max_new_tokens = o_.max_new_tokens;
    options.generate = o_.generate;
    options.shard = how.shard;
    options.keep = how.keep;
    Evaluated result = TRY(evaluate(chat_model, sets_, options, std::move(done), job));
    input_.records = result.records;
    Figures figures = TRY(figures_of(input_, o_.metrics));
    return Outcome<QaRecords>{
        std::move(result.records),
        std::move(figures),
        std::move(result.skipped),
        {{"scoring", result.scoring_s}, {"generation", result.generation_s}},
        {{"scored", result.scored_tokens}, {"generated", result.generated_tokens}}};
  }

 private:
  Result<QaRecords> retain_records(tensor::ProcessGroup* group, const base::Job& job) const {
    const model::ChatModel retain_only =
        TRY_AT("--retain-model", model::load_chat_model(o_.retain_model));
    TofuOptions asked = o_;
    asked.retain_model.clear();
    asked.metrics.clear();
    asked.generate = false;
    asked.sets.clear();
    for (const QaSet& set : sets_)
      if (set.name == "forget" || set.name == "holdout") asked.sets.push_back(set.name);
    Work work = TRY(tofu_work(asked));
    const Evaluation kept = TRY(run_evaluation(
        retain_only, {o_.retain_model, std::nullopt, o_.retain_file}, work, group, job));
    return records_from_json(kept.records, "records of --retain-model");
  }

  TofuOptions o_;
  std::vector<QaSet> sets_;
  MetricInput input_;  // its retain-only part is read once
};

}  // namespace

Result<Work> tofu_work(const TofuOptions& options) {
  auto sets = TRY(sets_of(options));
  TRY(figures_of({}, options.metrics));  // an unknown metric is an error before the work
  Work work;
  work.suite = "tofu";
  work.settings = {
      {"parity", options.parity == Parity::kOpenUnlearning ? "open-unlearning" : "none"},
      {"system", options.system},
      {"max_new_tokens", options.max_new_tokens}};
  work.items = items_of(sets);
  auto tofu = std::make_shared<Tofu>(options, std::move(sets));
  TRY(tofu->read_logs());
  work.run = run_on<QaRecords>(
      {records_to_json, records_from_json},
      [tofu](const model::ChatModel& chat_model, QaRecords done, const PassOptions<QaRecords>& how,
             const base::Job& job) { return tofu->run(chat_model, std::move(done), how, job); });
  return work;
}

Result<Evaluation> evaluate_log(const LogOptions& options, const std::string& file) {
  EvalLog log = TRY(read_log(options.log));
  MetricInput input;
  if (!options.retain_logs.empty())
    input.retain =
        TRY(read_retain(options.retain_logs, verify::questions_of(log), options.compare));
  input.records = std::move(log.records);
  Evaluation e;
  e.suite = "tofu";
  e.model = "log";
  e.records = records_to_json(input.records);
  e.settings = {{"suite", e.suite}, {"log", hash_of(e.records)}};
  for (const auto& [set, rows] : e.records.items()) e.items[set] = hash_of(rows);
  e.skipped = std::move(log.skipped);
  e.figures = TRY(figures_of(input, options.metrics));
  if (file.empty()) return e;
  TRY(EvaluationFile(file).records_for(e));
  TRY(EvaluationFile(file).write(e));
  return e;
}

}  // namespace expunge::verify
