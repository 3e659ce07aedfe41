#include "app/sweep.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "app/layout.h"
#include "app/training.h"
#include "base/files.h"
#include "publish/html_report.h"
#include "verify/tofu.h"

namespace expunge::app {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

using Values =
    std::vector<std::pair<std::string, std::vector<std::string>>>;  // of a table, in order

Result<double> number(const std::string& key, const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (!text.empty() && *end == '\0') return value;
  return fail(Code::kUsage, fmt::format("{} is '{}', expected a number", key, printable(text)));
}

base::Status set(Sweep& sweep, std::vector<uint64_t>& seeds, const std::string& key,
                 const std::vector<std::string>& values) {
  const std::map<std::string, std::string*> texts = {
      {"model", &sweep.model},   {"gold", &sweep.gold}, {"data", &sweep.data},
      {"forget", &sweep.forget}, {"out", &sweep.out},   {"retain", &sweep.retain},
      {"system", &sweep.system}};
  if (values.empty()) return fail(Code::kUsage, fmt::format("{} has no value", printable(key)));
  if (const auto it = texts.find(key); it != texts.end()) {
    *it->second = values[0];
    return {};
  }
  if (key == "seeds") {
    seeds.clear();
    for (const std::string& v : values) seeds.push_back(static_cast<uint64_t>(TRY(number(key, v))));
    return {};
  }
  const double value = TRY(number(key, values[0]));
  if (key == "limit")
    sweep.limit = static_cast<size_t>(value);
  else if (key == "eval_limit")
    sweep.eval_limit = static_cast<size_t>(value);
  else if (key == "max_new_tokens")
    sweep.max_new_tokens = static_cast<int64_t>(value);
  else if (key == "min_utility")
    sweep.min_utility = value;
  else
    return fail(Code::kUsage, fmt::format("a sweep has no setting '{}'", printable(key)),
                "model, gold, data, forget, retain, system, out, seeds, limit, eval_limit, "
                "max_new_tokens, min_utility; knobs stand under [method]");
  return {};
}

// Every combination of a table's values, for every seed.
base::Status add_jobs(Sweep& sweep, const std::string& method_name, const Values& table,
                      const std::vector<uint64_t>& seeds) {
  // [npo.long] is another table of npo.
  const std::string name = method_name.substr(0, method_name.find('.'));
  const unlearn::Method* method = TRY(unlearn::find_method(name));
  std::vector<Job> grid{{method_name, method}};
  for (const auto& [key, values] : table) {
    std::vector<Job> next;
    for (const Job& job : grid)
      for (const std::string& text : values) {
        Job more = job;
        more.knobs[key] = TRY(unlearn::knob_value(*method, key, text));
        if (values.size() > 1) more.label += fmt::format(" {}={}", key, text);
        next.push_back(std::move(more));
      }
    grid = std::move(next);
  }
  for (const Job& job : grid)
    for (const uint64_t seed : seeds) {
      Job one = job;
      one.knobs = TRY(unlearn::complete(*method, job.knobs));
      one.seed = seed;
      if (seeds.size() > 1) one.label += fmt::format(" seed={}", seed);
      sweep.jobs.push_back(std::move(one));
    }
  return {};
}

Result<verify::Work> evaluation_of(const Sweep& sweep, size_t job) {
  verify::TofuOptions input;
  input.data = sweep.data;
  input.forget = sweep.forget;
  input.limit = sweep.eval_limit;
  input.system = sweep.system;
  input.max_new_tokens = sweep.max_new_tokens;
  // The gold model's records, where its own job has left them; else it is asked.
  if (!sweep.gold.empty() && sweep.jobs[job].label != "gold") {
    const std::string records = sweep.folder(1) + "/evaluation.json";
    const auto there = base::read_json(records);
    if (there && there->contains("summary"))
      input.retain_logs = records;
    else
      input.retain_model = sweep.gold;
  }
  return verify::tofu_work(input);
}

Result<Json> record_of(const std::string& folder) {
  const std::string path = folder + "/run.json";
  if (::access(path.c_str(), F_OK) != 0) return Json::object();
  return base::read_json(path);
}

// The edit, kept until it has been evaluated.
Result<edit::Edit> edit_of(const Trainee& trainee) {
  const std::string kept = trainee.out + "/edit.safetensors";
  if (::access(kept.c_str(), F_OK) == 0) return edit::deserialise(TRY(base::read_file(kept)));
  TrainedRun run = TRY(run_training(trainee));
  TRY(base::write_file_atomic(kept, TRY(edit::serialise(run.edit))));
  TRY(write_record(trainee.out, run.record));
  return std::move(run.edit);
}

}  // namespace

std::string Sweep::folder(size_t job) const {
  std::string name = jobs[job].label;
  for (char& c : name)
    if (c == ' ' || c == '/') c = '_';
  return fmt::format("{}/{:03}-{}", out, job, name);
}

Result<Sweep> read_sweep(const std::string& path) {
  std::ifstream file(path);
  if (!file)
    return fail(Code::kNotFound, fmt::format("cannot read '{}'", printable(path)),
                "expunge sweep --help shows what a sweep's file holds");
  std::vector<CLI::ConfigItem> items;
  try {
    items = CLI::ConfigTOML().from_config(file);
  } catch (const CLI::Error& e) {
    return fail(Code::kInvalid, fmt::format("{}: {}", path, e.what()));
  }
  Sweep sweep;
  std::vector<uint64_t> seeds{1};
  std::vector<std::pair<std::string, Values>> tables;
  for (const CLI::ConfigItem& item : items) {
    const std::string table = fmt::format("{}", fmt::join(item.parents, "."));
    if (item.name == "--") continue;  // the end of a table
    if (item.name == "++") {          // its beginning
      if (std::ranges::find(tables, table, [](const auto& t) { return t.first; }) == tables.end())
        tables.push_back({table, {}});
      continue;
    }
    if (table.empty())
      TRY_AT(path, set(sweep, seeds, item.name, item.inputs));
    else if (!tables.empty() && tables.back().first == table)
      tables.back().second.emplace_back(item.name, item.inputs);
    else
      tables.push_back({table, {{item.name, item.inputs}}});
  }
  for (const auto& [key, value] : {std::pair("model", sweep.model), std::pair("out", sweep.out),
                                   std::pair("forget", sweep.forget)})
    if (value.empty()) return fail(Code::kUsage, fmt::format("{} does not say '{}'", path, key));
  sweep.jobs.push_back({"target"});
  if (!sweep.gold.empty()) sweep.jobs.push_back({"gold"});
  for (const auto& [name, table] : tables) TRY_AT(path, add_jobs(sweep, name, table, seeds));
  return sweep;
}

base::Status run_job(const Sweep& sweep, size_t index, Context& context) {
  const Job& job = sweep.jobs[index];
  const std::string folder = sweep.folder(index);
  TRY(base::make_dirs(folder));
  Json record = TRY(record_of(folder));
  if (record.value("finished", false)) return {};
  const auto patient = TRY(model::load_chat_model(job.label == "gold" ? sweep.gold : sweep.model));
  const verify::Work work = TRY(evaluation_of(sweep, index));
  if (job.method) {
    Trainee trainee{patient, *job.method, job.knobs};
    trainee.forget = TRY(text::read_qa(TRY(qa_file(sweep.data, sweep.forget)), sweep.limit));
    if (!sweep.retain.empty())
      trainee.retain = TRY(text::read_qa(TRY(qa_file(sweep.data, sweep.retain)), sweep.limit));
    trainee.system = sweep.system;
    trainee.seed = job.seed;
    trainee.out = folder;
    trainee.progress = context.terminal.progress();
    const edit::Edit edit = TRY(edit_of(trainee));
    TRY(edit::commit(patient.model, {&edit, 1}));
  }
  TRY(verify::run_evaluation(patient, {job.label, std::nullopt, folder + "/evaluation.json"}, work,
                             nullptr, base::Job(context.terminal.progress())));
  record = TRY(record_of(folder));
  record["label"] = job.label;
  record["finished"] = true;
  TRY(write_record(folder, record));
  ::unlink((folder + "/edit.safetensors").c_str());
  return {};
}

Result<Json> summarise(const Sweep& sweep) {
  std::vector<publish::ReportRun> pages;
  Json runs = Json::array();
  double target_utility = 0;
  const Json* best = nullptr;
  for (size_t i = 0; i < sweep.jobs.size(); ++i) {
    const std::string folder = sweep.folder(i);
    const Json record = TRY(record_of(folder));
    if (!record.value("finished", false)) continue;
    Json evaluation = TRY(base::read_json(folder + "/evaluation.json"));
    evaluation.erase("items");
    runs.push_back({{"label", sweep.jobs[i].label},
                    {"method", sweep.jobs[i].method ? Json(sweep.jobs[i].method->name) : Json()},
                    {"knobs", sweep.jobs[i].knobs},
                    {"seed", sweep.jobs[i].seed},
                    {"summary", evaluation["summary"]},
                    {"absent", evaluation["absent"]}});
    for (const char* key : {"seconds", "peak_memory_gb", "edit_norm"})
      if (record.contains(key)) runs.back()[key] = record[key];
    pages.push_back({sweep.jobs[i].label, std::move(evaluation)});
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
      {"jobs", sweep.jobs.size()}};
  summary["runs"] = std::move(runs);
  if (!pages.empty()) {
    TRY(base::write_file_atomic(sweep.out + "/report.html", TRY(publish::html_report(pages))));
    summary["report"] = sweep.out + "/report.html";
  }
  TRY(base::write_file_atomic(sweep.out + "/sweep.json", base::dump_json(summary, 1) + "\n"));
  return summary;
}

void print_summary(Terminal& t, const Json& summary) {
  constexpr std::pair<const char*, const char*> kColumnsOf[] = {{"forget_quality", "quality"},
                                                                {"model_utility", "utility"},
                                                                {"forget_Q_A_Prob", "prob"},
                                                                {"forget_Q_A_ROUGE", "ROUGE"},
                                                                {"forget_truth_ratio", "truth"}};
  std::string head = pad("", 26);
  for (const auto& [key, label] : kColumnsOf) head += pad_left(label, 9);
  t.line("{}", t.paint(Tone::kBold, head + pad_left("time", 9)));
  for (const Json& run : summary["runs"]) {
    std::string line = pad(fit(run["label"].get<std::string>(), 25), 26);
    for (const auto& [key, label] : kColumnsOf) {
      const Json& s = run["summary"];
      line += pad_left(
          s.contains(key) && s[key].is_number() ? fmt::format("{:.3g}", s[key].get<double>()) : "-",
          9);
    }
    line += pad_left(run.contains("seconds") ? duration(run["seconds"].get<double>()) : "-", 9);
    t.line("{}", line);
  }
  t.line("{}", wrap(fmt::format("{} of {} jobs are done. Rule: {}.", summary["done"].get<size_t>(),
                                summary["jobs"].get<size_t>(), summary["rule"].get<std::string>()),
                    kColumns, 2));
  t.line("Best: {}", summary["best"].is_null() ? "none" : summary["best"].get<std::string>());
}

}  // namespace expunge::app
