#include "app/evaluation.h"

#include <unistd.h>

#include <algorithm>
#include <map>

#include "app/layout.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/version.h"

namespace expunge::app {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

// Every record is of an item that this run has too, with the content that it had then.
bool covered(const Json& records, const Json& then, const Json& now) {
  if (now.is_string()) return then == now;
  for (const auto& [key, value] : records.items())
    if (!then.contains(key) || !now.contains(key) || !covered(value, then[key], now[key]))
      return false;
  return true;
}

Result<Json> records_there(const std::string& file, const Json& settings, const Json& items) {
  if (file.empty() || access(file.c_str(), F_OK) != 0) return Json::object();
  const Json there = TRY(base::read_json(file));
  const auto part = [&](const char* key) {
    return there.is_object() ? there.value(key, Json::object()) : Json();
  };
  if (part("settings") != settings)
    return fail(Code::kConflict, fmt::format("{} is of another model or other settings", file),
                "choose another --out, or remove the file");
  if (!covered(part("records"), part("items"), items))
    return fail(Code::kConflict, fmt::format("{} has records of other items", file),
                "an evaluation may grow; for other items choose another --out, or remove the file");
  return part("records");
}

// Significant digits, not decimals: p-values are small.
std::string figure(const Json& summary, const std::string& key) {
  const auto it = summary.find(key);
  return it == summary.end() || !it->is_number() ? "-" : fmt::format("{:.4g}", it->get<double>());
}

}  // namespace

std::string hash_of(const Json& content) {
  return base::sha256_hex(base::dump_json(content)).substr(0, 16);
}

Result<Json> run_evaluation(const model::ChatModel& patient, const EvaluationRun& run,
                            const Work& work) {
  const base::Stopwatch clock;
  Json settings = {{"suite", work.suite}, {"weights_hash", patient.model.weights_hash()}};
  settings.update(work.settings);
  Json json = {{"suite", work.suite},
               {"model", run.label},
               {"entry", run.entry ? Json(*run.entry) : Json()},
               {"weights_hash", settings["weights_hash"]},
               {"expunge", base::kVersion},
               {"settings", settings},
               {"items", work.items},
               {"absent", Json::object()}};
  const Json done = TRY(records_there(run.file, settings, work.items));
  Keep keep;
  if (!run.file.empty())
    keep = [&](Json records) {
      json["records"] = std::move(records);
      return base::write_file_atomic(run.file, base::dump_json(json), base::Access::kSecret);
    };
  json.update(TRY(work.run(patient, done, keep)));
  if (!json.contains("seconds")) json["seconds"] = clock.seconds();
  if (!run.file.empty())
    TRY(base::write_file_atomic(run.file, base::dump_json(json), base::Access::kSecret));
  json.erase("items");
  return json;
}

void print_figures(Terminal& t, std::span<const publish::ReportRun> runs) {
  std::vector<std::string> keys;
  for (const publish::ReportRun& run : runs)
    for (const auto& [key, value] : run.evaluation["summary"].items())
      if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
  constexpr size_t kName = 32, kWidth = 14;
  std::string head = pad("", kName);
  for (const publish::ReportRun& run : runs) head += pad_left(fit(run.label, kWidth - 1), kWidth);
  t.line("{}", t.paint(Tone::kBold, head));
  for (const std::string& key : keys) {
    std::string line = pad(key, kName);
    for (const publish::ReportRun& run : runs)
      line += pad_left(figure(run.evaluation["summary"], key), kWidth);
    t.line("{}", line);
  }
  // One line a reason: most keys lack the same thing.
  std::map<std::string, size_t> reasons;
  for (const auto& [key, reason] : runs.back().evaluation["absent"].items())
    ++reasons[reason.get<std::string>()];
  for (const auto& [reason, n] : reasons)
    t.line("{}", t.paint(Tone::kDim, wrap(fmt::format("absent: {} {}; {}", n,
                                                      n == 1 ? "figure" : "figures", reason),
                                          kColumns, 2)));
}

}  // namespace expunge::app
