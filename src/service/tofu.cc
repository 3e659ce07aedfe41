#include "service/tofu.h"

#include <algorithm>
#include <memory>

#include "base/utf8.h"
#include "service/share.h"
#include "service/training.h"
#include "verify/eval_log.h"
#include "verify/evaluate.h"

namespace expunge::service {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::printable;
using base::Result;

// With perturbed answers if there are any.
constexpr std::string_view kPerturbedFirst[] = {"_perturbed.json", ".json"};

Result<std::vector<verify::QaSet>> sets_of(const SuiteInput& in) {
  std::vector<std::string> wanted = in.sets;
  if (wanted.empty()) {
    wanted = {"forget", "retain", "real_authors", "world_facts"};
    if (!in.holdout.empty()) wanted.emplace_back("holdout");
  }
  std::vector<verify::QaSet> sets;
  for (const std::string& name : wanted) {
    const std::string split = name == "forget"    ? in.forget
                              : name == "retain"  ? in.retain
                              : name == "holdout" ? in.holdout
                                                  : name;
    if (split.empty()) return fail(Code::kUsage, "a holdout set needs --holdout FILE", "");
    sets.push_back(
        {name, TRY(text::read_qa(TRY(qa_file(in.data, split, kPerturbedFirst)), in.limit))});
  }
  return sets;
}

Json items_of(const std::vector<verify::QaSet>& sets) {
  Json items = Json::object();
  for (const verify::QaSet& set : sets)
    for (const text::QaItem& item : set.items)
      items[set.name][std::to_string(item.row)] =
          hash_of({item.question, item.answer, item.paraphrased ? Json(*item.paraphrased) : Json(),
                   item.perturbed});
  return items;
}

Result<verify::EvaluateOptions> options_of(const SuiteInput& in) {
  verify::EvaluateOptions options;
  if (in.parity == "open-unlearning")
    options.parity = verify::Parity::kOpenUnlearning;
  else if (in.parity != "none")
    return fail(Code::kUsage, fmt::format("no parity with '{}'", printable(in.parity)),
                "none or open-unlearning");
  options.system = in.system;
  options.max_new_tokens = in.max_new_tokens;
  options.generate = !in.no_generation;
  options.progress = in.progress;
  return options;
}

class Tofu {
 public:
  Tofu(SuiteInput in, std::vector<verify::QaSet> sets, verify::EvaluateOptions options)
      : in_(std::move(in)), sets_(std::move(sets)), options_(std::move(options)) {}

  Result<Json> run(const model::ChatModel& patient, const Json& done, const Keep& keep) {
    const bool compared = !in_.retain_logs.empty() || !in_.retain_model.empty();
    if (compared && !reference_) reference_ = TRY(reference());
    verify::Records known;
    if (!done.empty()) known = TRY(verify::records_from_json(done, "records"));
    verify::EvaluateOptions options = options_;
    if (keep)
      options.keep = [&](const verify::Records& records) {
        return keep(verify::records_to_json(records));
      };
    options.share = share_of(in_.group);
    auto result = TRY(verify::evaluate(patient, sets_, options, std::move(known)));
    if (in_.group) {
      const Json all = TRY(joined(*in_.group, verify::records_to_json(result.records)));
      result.records = TRY(verify::records_from_json(all, "records of the group"));
    }
    Json json = {
        {"parity", in_.parity},
        {"records", verify::records_to_json(result.records)},
        {"seconds", {{"scoring", result.scoring_s}, {"generation", result.generation_s}}},
        {"tokens", {{"scored", result.scored_tokens}, {"generated", result.generated_tokens}}}};
    json.update(TRY(figures_of({std::move(result.records), reference_}, in_.metrics)));
    return json;
  }

 private:
  Result<verify::Records> reference() const {
    if (!in_.retain_logs.empty()) return verify::read_records(in_.retain_logs);
    const model::ChatModel gold =
        TRY_AT("--retain-model", model::load_chat_model(in_.retain_model));
    SuiteInput asked = in_;
    asked.retain_model.clear();
    asked.metrics.clear();
    asked.no_generation = true;
    asked.sets.clear();
    for (const verify::QaSet& set : sets_)
      if (set.name == "forget" || set.name == "holdout") asked.sets.push_back(set.name);
    Work work = TRY(prepare_tofu(asked));
    work.suite = "tofu";
    const Json kept =
        TRY(run_evaluation(gold, {in_.retain_model, std::nullopt, in_.retain_file}, work));
    return verify::records_from_json(kept["records"], "records of --retain-model");
  }

  SuiteInput in_;
  std::vector<verify::QaSet> sets_;
  verify::EvaluateOptions options_;
  std::optional<verify::Records> reference_;  // of a model that never saw the forget set
};

}  // namespace

Result<Json> figures_of(verify::Evaluation evaluation, const std::vector<std::string>& metrics) {
  auto values = verify::compute_metrics(evaluation);
  for (const std::string& wanted : metrics)
    if (std::ranges::find(values, wanted, &verify::Value::key) == values.end())
      return fail(Code::kUsage, fmt::format("no metric '{}'", printable(wanted)),
                  "expunge metrics lists them");
  if (!metrics.empty())
    std::erase_if(values, [&](const verify::Value& v) {
      return std::ranges::find(metrics, v.key) == metrics.end();
    });
  return verify::to_json(values);
}

Result<Work> prepare_tofu(const SuiteInput& in) {
  const auto options = TRY(options_of(in));
  const auto sets = TRY(sets_of(in));
  TRY(figures_of({}, in.metrics));  // an unknown metric is told before the work
  Work work;
  work.settings = {
      {"parity", in.parity}, {"system", in.system}, {"max_new_tokens", in.max_new_tokens}};
  work.items = items_of(sets);
  work.run = [tofu = std::make_shared<Tofu>(in, sets, options)](
                 const model::ChatModel& patient, const Json& done, const Keep& keep) {
    return tofu->run(patient, done, keep);
  };
  return work;
}

}  // namespace expunge::service
