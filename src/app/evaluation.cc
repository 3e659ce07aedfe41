#include "app/evaluation.h"

#include <unistd.h>

#include <algorithm>

#include "app/layout.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/version.h"
#include "verify/eval_log.h"

namespace expunge::app {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

std::string_view name(verify::Parity parity) {
  return parity == verify::Parity::kNone ? "none" : "open-unlearning";
}

// What must be equal for records to be of the same evaluation.
Json settings_of(const model::Patient& patient, const EvaluationRun& run) {
  Json sets = Json::object();
  for (const verify::QaSet& set : run.sets) {
    std::string text;
    for (const text::QaItem& item : set.items) {
      text += item.question + '\n' + item.answer + '\n' + item.paraphrased.value_or("") + '\n';
      for (const std::string& wrong : item.perturbed) text += wrong + '\n';
    }
    sets[set.name] = base::sha256_hex(text);
  }
  return {{"weights_hash", patient.model->weights_hash()},
          {"parity", name(run.options.parity)},
          {"system", run.options.system},
          {"max_new_tokens", run.options.max_new_tokens},
          {"sets", std::move(sets)}};
}

Result<verify::Records> records_there(const std::string& file, const Json& settings) {
  if (file.empty() || access(file.c_str(), F_OK) != 0) return verify::Records();
  const Json there = TRY(base::parse_json(TRY(base::read_file(file)), file));
  if (!there.is_object() || !there.contains("settings") || there["settings"] != settings)
    return fail(Code::kConflict,
                fmt::format("{} is of another model, other items or settings", file),
                "choose another --out, or remove the file");
  return verify::records_from_json(there.value("records", Json::object()), file);
}

// Significant digits, not decimals: p-values are small.
std::string figure(const Json& summary, const std::string& key) {
  const auto it = summary.find(key);
  return it == summary.end() || !it->is_number() ? "-" : fmt::format("{:.4g}", it->get<double>());
}

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

Result<Json> run_evaluation(const model::Patient& patient, EvaluationRun run,
                            std::optional<verify::Records> reference) {
  const Json settings = settings_of(patient, run);
  Json json = {{"suite", "tofu"},
               {"model", run.label},
               {"entry", run.entry ? Json(*run.entry) : Json()},
               {"parity", name(run.options.parity)},
               {"weights_hash", settings["weights_hash"]},
               {"expunge", base::kVersion},
               {"settings", settings}};
  verify::Records known = TRY(records_there(run.file, settings));
  const auto write = [&](const verify::Records& records) -> base::Status {
    if (run.file.empty()) return {};
    json["records"] = verify::records_to_json(records);
    return base::write_file_atomic(run.file, base::dump_json(json));
  };
  if (!run.options.keep) run.options.keep = write;
  auto result = TRY(verify::evaluate(patient, run.sets, run.options, std::move(known)));
  json["records"] = verify::records_to_json(result.records);
  json["seconds"] = {{"scoring", result.scoring_s}, {"generation", result.generation_s}};
  json["tokens"] = {{"scored", result.scored_tokens}, {"generated", result.generated_tokens}};
  json.update(TRY(figures_of({std::move(result.records), std::move(reference)}, run.metrics)));
  if (!run.file.empty()) TRY(base::write_file_atomic(run.file, base::dump_json(json)));
  return json;
}

void print_figures(Terminal& t, const std::vector<std::pair<std::string, Json>>& runs) {
  std::vector<std::string> keys;
  for (const auto& run : runs)
    for (const auto& [key, value] : run.second["summary"].items())
      if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
  constexpr size_t kName = 32, kWidth = 14;
  std::string head = pad("", kName);
  for (const auto& [label, json] : runs) head += pad_left(fit(label, kWidth - 1), kWidth);
  t.line("{}", t.paint(Tone::kBold, head));
  for (const std::string& key : keys) {
    std::string line = pad(key, kName);
    for (const auto& [label, json] : runs) line += pad_left(figure(json["summary"], key), kWidth);
    t.line("{}", line);
  }
  // One line a reason: most keys lack the same thing.
  std::map<std::string, size_t> reasons;
  for (const auto& [key, reason] : runs.back().second["absent"].items())
    ++reasons[reason.get<std::string>()];
  for (const auto& [reason, n] : reasons)
    t.line("{}", t.paint(Tone::kDim, wrap(fmt::format("absent: {} {}; {}", n,
                                                      n == 1 ? "figure" : "figures", reason),
                                          kColumns, 2)));
}

}  // namespace expunge::app
