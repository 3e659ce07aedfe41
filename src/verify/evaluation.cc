#include "verify/evaluation.h"

#include <unistd.h>

#include "base/files.h"
#include "base/run.h"
#include "base/version.h"

namespace expunge::verify {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

// Every record is of an item that this run has too, with unchanged content.
bool covered(const Json& records, const Json& then, const Json& now) {
  if (now.is_string()) return then == now;
  for (const auto& [key, value] : records.items())
    if (!then.contains(key) || !now.contains(key) || !covered(value, then[key], now[key]))
      return false;
  return true;
}

Json head_of(const Evaluation& e) {
  Json json = {{"suite", e.suite}, {"model", e.model}};
  json["entry"] = e.entry ? Json(*e.entry) : Json();
  if (!e.weights_hash.empty()) json["weights_hash"] = e.weights_hash;
  json["expunge"] = base::kVersion;
  json["settings"] = e.settings;
  return json;
}

}  // namespace

Json to_json(const Evaluation& e) {
  Json json = head_of(e);
  json.update(to_json(e.figures));
  json["skipped"] = skipped_to_json(e.skipped);
  json["records"] = e.records;
  json["seconds"] = e.seconds;
  if (!e.tokens.empty()) json["tokens"] = e.tokens;
  return json;
}

Result<Json> EvaluationFile::records_for(const Evaluation& e) const {
  if (access(path_.c_str(), F_OK) != 0) return Json::object();
  const Json there = TRY(base::read_json(path_));
  const auto part = [&](const char* key) {
    return there.is_object() ? there.value(key, Json::object()) : Json();
  };
  if (part("settings") != e.settings)
    return fail(Code::kConflict, fmt::format("{} is of another model or other settings", path_),
                "choose another --out, or remove the file");
  if (!covered(part("records"), part("items"), e.items))
    return fail(Code::kConflict, fmt::format("{} has records of other items", path_),
                "an evaluation may grow; for other items choose another --out, or remove the file");
  return part("records");
}

base::Status EvaluationFile::write(const Evaluation& e) const {
  Json json = to_json(e);
  json["items"] = e.items;
  return base::write_file_atomic(path_, base::dump_json(json));
}

Result<Evaluation> run_evaluation(const model::ChatModel& chat_model, const EvaluationRun& run,
                                  const Work& work, tensor::ProcessGroup* group,
                                  const base::Job& job) {
  const base::Stopwatch clock;
  Evaluation e{work.suite, run.label, run.entry, chat_model.model.weights_hash()};
  e.settings = {{"suite", work.suite}, {"weights_hash", e.weights_hash}};
  e.settings.update(work.settings);
  e.items = work.items;
  const EvaluationFile file(run.file);
  Json done = Json::object();
  Keep<Json> keep;
  if (!run.file.empty()) {
    done = TRY(file.records_for(e));
    // Without figures: a part of the items does not give the evaluation's.
    keep = [&](const Json& records) {
      Json json = head_of(e);
      json["items"] = e.items;
      json["records"] = records;
      return base::write_file_atomic(run.file, base::dump_json(json));
    };
  }
  Outcome<Json> outcome = TRY(work.run(chat_model, done, keep, group, job));
  e.records = std::move(outcome.records);
  e.figures = std::move(outcome.figures);
  e.skipped = std::move(outcome.skipped);
  e.tokens = std::move(outcome.tokens);
  e.seconds = std::move(outcome.seconds);
  if (e.seconds.empty()) e.seconds["total"] = clock.seconds();
  if (!run.file.empty()) TRY(file.write(e));
  return e;
}

}  // namespace expunge::verify
