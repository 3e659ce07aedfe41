#include "service/sweep.h"

#include <unistd.h>

#include "base/files.h"
#include "publish/html_report.h"
#include "service/training.h"
#include "verify/tofu.h"

namespace expunge::service {
namespace {

using base::Json;
using base::Result;

Result<verify::Work> evaluation_of(const Sweep& sweep, size_t run) {
  verify::TofuOptions input;
  input.data = sweep.data;
  input.forget = sweep.forget;
  input.limit = sweep.eval_limit;
  input.system = sweep.system;
  input.max_new_tokens = sweep.max_new_tokens;
  // The gold model's records, if its own run has left them; else it is evaluated.
  if (!sweep.gold.empty() && sweep.runs[run].label != "gold") {
    const std::string records = sweep.folder(1) + "/evaluation.json";
    const auto there = base::read_json(records);
    if (there && there->contains("summary"))
      input.retain_logs = records;
    else
      input.retain_model = sweep.gold;
  }
  return verify::tofu_work(input);
}

// The edit, stored until it has been evaluated.
Result<edit::Edit> edit_of(const TrainingRequest& request, const base::Job& job) {
  const std::string kept = request.out + "/edit.safetensors";
  if (::access(kept.c_str(), F_OK) == 0) return edit::deserialise(TRY(base::read_file(kept)));
  TrainingResult run = TRY(run_training(request, job));
  const std::string bytes = TRY(edit::serialise(run.edit));
  run.space.release();
  TRY(write_summary(request.out, run.summary));
  TRY(base::write_file_atomic(kept, bytes));
  discard_checkpoint(request.out);
  return std::move(run.edit);
}

Result<ExampleSet> examples_of(const Sweep& sweep, const std::string& split) {
  const std::string file = TRY(qa_file(sweep.data, split));
  return read_examples({&file, 1}, sweep.limit);
}

}  // namespace

std::string Sweep::folder(size_t run) const {
  std::string name = runs[run].label;
  for (char& c : name)
    if (c == ' ' || c == '/') c = '_';
  return fmt::format("{}/{:03}-{}", out, run, name);
}

base::Status do_run(const Sweep& sweep, size_t index, const base::Job& job) {
  const SweepRun& run = sweep.runs[index];
  const std::string folder = sweep.folder(index);
  TRY(base::make_dirs(folder));
  if (TRY(read_summary(folder)).finished) return {};
  model::ChatModel chat_model =
      TRY(model::load_chat_model(run.label == "gold" ? sweep.gold : sweep.model));
  const verify::Work work = TRY(evaluation_of(sweep, index));
  if (run.method) {
    TrainingRequest request{chat_model, *run.method, run.knobs};
    request.forget = TRY(examples_of(sweep, sweep.forget));
    if (!sweep.retain.empty()) request.retain = TRY(examples_of(sweep, sweep.retain));
    request.system = sweep.system;
    request.seed = run.seed;
    request.out = request.result_folder = folder;
    const edit::Edit edit = TRY(edit_of(request, job));
    chat_model.model = TRY(edit::apply(chat_model.model, edit));
  }
  TRY(verify::run_evaluation(chat_model, {run.label, std::nullopt, folder + "/evaluation.json"},
                             work, nullptr, job));
  RunSummary summary = TRY(read_summary(folder));
  summary.label = run.label;
  summary.finished = true;
  TRY(write_summary(folder, summary));
  ::unlink((folder + "/edit.safetensors").c_str());
  return {};
}

Result<Json> summarise(const Sweep& sweep) {
  std::vector<publish::ReportRun> pages;
  Json runs = Json::array();
  double target_utility = 0;
  const Json* best = nullptr;
  for (size_t i = 0; i < sweep.runs.size(); ++i) {
    const std::string folder = sweep.folder(i);
    const RunSummary record = TRY(read_summary(folder));
    if (!record.finished) continue;
    Json evaluation = TRY(base::read_json(folder + "/evaluation.json"));
    evaluation.erase("items");
    runs.push_back({{"label", sweep.runs[i].label},
                    {"method", sweep.runs[i].method ? Json(sweep.runs[i].method->name) : Json()},
                    {"knobs", sweep.runs[i].knobs},
                    {"seed", sweep.runs[i].seed},
                    {"summary", evaluation["summary"]},
                    {"absent", evaluation["absent"]}});
    for (const auto& [key, value] :
         {std::pair("seconds", record.seconds), std::pair("peak_memory_gb", record.peak_memory_gb),
          std::pair("edit_norm", record.edit_norm)})
      if (value) runs.back()[key] = *value;
    pages.push_back({sweep.runs[i].label, std::move(evaluation)});
  }
  const auto figure = [](const Json& run, const char* key, double fallback) {
    const Json& summary = run["summary"];
    return summary.contains(key) && summary[key].is_number() ? summary[key].get<double>()
                                                             : fallback;
  };
  const char* goal = sweep.gold.empty() ? "forget_Q_A_Prob" : "forget_quality";
  const double sign = sweep.gold.empty() ? -1 : 1;
  for (const Json& run : runs) {
    const double utility = figure(run, "model_utility", 0);
    if (run["label"] == "target") target_utility = utility;
    if (run["method"].is_null() || utility < sweep.min_utility * target_utility) continue;
    if (!best || sign * figure(run, goal, -sign * 1e9) > sign * figure(*best, goal, -sign * 1e9))
      best = &run;
  }
  Json summary = {
      {"rule", fmt::format("{} {} among those that keep {:g} of the target's model_utility",
                           sweep.gold.empty() ? "lowest" : "highest", goal, sweep.min_utility)},
      {"best", best ? (*best)["label"] : Json()},
      {"done", runs.size()},
      {"jobs", sweep.runs.size()}};
  summary["runs"] = std::move(runs);
  if (!pages.empty()) {
    TRY(base::write_file_atomic(sweep.out + "/report.html", TRY(publish::html_report(pages))));
    summary["report"] = sweep.out + "/report.html";
  }
  TRY(base::write_file_atomic(sweep.out + "/sweep.json", base::dump_json(summary, 1) + "\n"));
  return summary;
}

}  // namespace expunge::service
