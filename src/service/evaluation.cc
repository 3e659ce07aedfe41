#include "service/evaluation.h"

#include <unistd.h>

#include "base/files.h"
#include "base/hash.h"
#include "base/version.h"

namespace expunge::service {
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

}  // namespace expunge::service
