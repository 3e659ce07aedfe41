#include "service/run_summary.h"

#include <unistd.h>

#include "base/files.h"

namespace expunge::service {
namespace {

using base::Json;
using base::Result;

std::string file_of(const std::string& out) { return out + "/run.json"; }

Json to_json(const SkippedItems& s) {
  return {{"items", s.items},
          {"file", s.file},
          {"row", s.row},
          {"tokens", s.tokens},
          {"limit", s.limit}};
}

Json identity_json(const RunSummary& s) {
  Json json = {{"method", s.method},
               {"knobs", s.knobs},
               {"seed", s.seed},
               {"system", s.system},
               {"weights_hash", s.weights_hash},
               {"forget", to_json(s.forget)},
               {"retain", to_json(s.retain)}};
  if (!s.begun.empty()) json["begun"] = s.begun;
  return json;
}

SetSummary set_from_json(const Json& json) {
  return {json.at("items").get<size_t>(), json.at("sha256").get<std::string>()};
}

SetFigures figures_from_json(const Json& json) {
  SetFigures figures;
  if (json.contains("forget_prob")) figures.forget_prob = json["forget_prob"].get<double>();
  if (json.contains("retain_prob")) figures.retain_prob = json["retain_prob"].get<double>();
  return figures;
}

edit::Fitted fitted_from_json(const Json& json) {
  return {.losses = json.at("losses").get<std::vector<double>>(),
          .gradient_norms = json.at("gradient_norms").get<std::vector<double>>(),
          .resumed_at = json.at("resumed_at").get<int64_t>(),
          .step_seconds = json.at("step_seconds").get<std::vector<double>>()};
}

// Throws what nlohmann's accessors throw.
void read_training(const Json& json, RunSummary& s) {
  s.method = json.at("method").get<std::string>();
  s.knobs = json.at("knobs").get<unlearn::Knobs>();
  s.seed = json.at("seed").get<uint64_t>();
  s.system = json.at("system").get<std::string>();
  s.begun = json.value("begun", "");
  s.weights_hash = json.at("weights_hash").get<std::string>();
  s.forget = set_from_json(json.at("forget"));
  s.retain = set_from_json(json.at("retain"));
  s.citation = json.value("citation", "");
  s.expunge = json.value("expunge", "");
  s.libtorch = json.value("libtorch", "");
  s.processes = json.value("processes", 1);
  const Json all_skipped = json.value("skipped", Json::object());
  for (const auto& [set, skipped] : all_skipped.items())
    s.skipped.push_back({.set = set,
                         .items = skipped.at("items").get<size_t>(),
                         .file = skipped.at("file").get<std::string>(),
                         .row = skipped.at("row").get<int64_t>(),
                         .tokens = skipped.at("tokens").get<size_t>(),
                         .limit = skipped.at("limit").get<size_t>()});
  for (const Json& epoch : json.value("epochs", Json::array()))
    s.epochs.push_back({epoch.at("epoch").get<int64_t>(), figures_from_json(epoch)});
  if (json.contains("losses")) s.fitted = fitted_from_json(json);
}

void read_results(const Json& json, RunSummary& s) {
  for (const auto& [key, value] :
       {std::pair("edit_norm", &s.edit_norm), std::pair("seconds", &s.seconds),
        std::pair("peak_memory_gb", &s.peak_memory_gb)})
    if (json.contains(key)) *value = json[key].get<double>();
  for (const auto& [key, value] : {std::pair("before", &s.before), std::pair("after", &s.after)})
    if (json.contains(key)) *value = figures_from_json(json[key]);
  s.trained_weights_hash = json.value("trained_weights_hash", "");
  if (json.contains("entry")) s.entry = json["entry"].get<int64_t>();
  s.label = json.value("label", "");
  s.finished = json.value("finished", false);
}

}  // namespace

std::string describe(const SkippedItems& s) {
  return fmt::format(
      "left out {} {} of {}: longer than the model's context; the first is row {} of "
      "{} ({} tokens, the context holds {})",
      s.items, s.items == 1 ? "item" : "items", s.set, s.row, s.file, s.tokens, s.limit);
}

Json to_json(const SetSummary& set) { return {{"items", set.items}, {"sha256", set.sha256}}; }

Json to_json(const SetFigures& figures) {
  Json json = Json::object();
  if (figures.forget_prob) json["forget_prob"] = *figures.forget_prob;
  if (figures.retain_prob) json["retain_prob"] = *figures.retain_prob;
  return json;
}

Json to_json(const RunSummary& s) {
  Json json = Json::object();
  if (!s.method.empty()) {
    json = identity_json(s);
    json["citation"] = s.citation;
    json["expunge"] = s.expunge;
    json["libtorch"] = s.libtorch;
    json["processes"] = s.processes;
    for (const SkippedItems& skipped : s.skipped) json["skipped"][skipped.set] = to_json(skipped);
    json["epochs"] = Json::array();
    for (const EpochFigures& e : s.epochs) {
      json["epochs"].push_back(to_json(e.figures));
      json["epochs"].back()["epoch"] = e.epoch;
    }
  }
  if (s.fitted) {
    json["losses"] = s.fitted->losses;
    json["gradient_norms"] = s.fitted->gradient_norms;
    json["step_seconds"] = s.fitted->step_seconds;
    json["resumed_at"] = s.fitted->resumed_at;
  }
  if (s.edit_norm) json["edit_norm"] = *s.edit_norm;
  if (s.seconds) json["seconds"] = *s.seconds;
  if (s.peak_memory_gb) json["peak_memory_gb"] = *s.peak_memory_gb;
  if (s.before) json["before"] = to_json(*s.before);
  if (s.after) json["after"] = to_json(*s.after);
  if (!s.trained_weights_hash.empty()) json["trained_weights_hash"] = s.trained_weights_hash;
  if (s.entry) json["entry"] = *s.entry;
  if (!s.label.empty()) json["label"] = s.label;
  if (s.finished) json["finished"] = true;
  return json;
}

Result<RunSummary> run_summary_from_json(const Json& json, const std::string& path) {
  RunSummary summary;
  try {
    if (json.contains("method")) read_training(json, summary);
    read_results(json, summary);
  } catch (const nlohmann::json::exception& e) {
    return base::fail(base::Code::kCorrupt,
                      fmt::format("{} is not the record of a training: {}", path, e.what()),
                      "remove it, or choose another folder");
  }
  return summary;
}

std::string identity_of(const RunSummary& summary) {
  return base::dump_json(identity_json(summary));
}

base::Status write_summary(const std::string& out, const RunSummary& summary) {
  return base::write_file_atomic(file_of(out), base::dump_json(to_json(summary), 1) + "\n");
}

Result<RunSummary> read_summary(const std::string& out) {
  const std::string path = file_of(out);
  if (::access(path.c_str(), F_OK) != 0) return RunSummary();
  return run_summary_from_json(TRY(base::read_json(path)), path);
}

}  // namespace expunge::service
