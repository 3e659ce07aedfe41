#include "app/training.h"

#include <sys/resource.h>
#include <unistd.h>

#include "app/layout.h"
#include "app/request.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/version.h"
#include "edit/trained.h"
#include "tensor/version.h"
#include "unlearn/examples.h"
#include "unlearn/train.h"

namespace expunge::app {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

// What has to be the same for a run to be gone on with.
Json identity_of(const Trainee& t) {
  return {{"method", t.method.name},
          {"knobs", t.knobs},
          {"seed", t.seed},
          {"system", t.system},
          {"weights_hash", t.patient.model.weights_hash()},
          {"forget", {{"items", t.forget.size()}, {"sha256", hash_of(t.forget)}}},
          {"retain", {{"items", t.retain.size()}, {"sha256", hash_of(t.retain)}}}};
}

}  // namespace

std::string hash_of(const std::vector<text::QaItem>& items) {
  base::Sha256 hash;
  for (const text::QaItem& item : items) hash.update(item.question + '\0' + item.answer + '\0');
  return hash.hex();
}

void add_training_options(CLI::App& cli, TrainingOptions& o) {
  cli.add_option("--epochs", o.epochs, "passes over the set")->type_name("N");
  cli.add_option("--lr", o.lr, "learning rate at its height")->type_name("X");
  cli.add_option("--batch", o.batch, "examples a step")->type_name("N");
  cli.add_option("--lora", o.lora, "rank of low-rank adapters; 0 trains the weights")
      ->type_name("R");
  cli.add_option("--knob", o.knobs, "any other setting; may be repeated")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->take_all();
  cli.add_option("--seed", o.seed, "of orders, draws and adapters (1)")->type_name("N");
  cli.add_option("--system", o.system, "a system message before every question")->type_name("TEXT");
  cli.add_option("--limit", o.limit, "the first items of each set; 0: all (0)")->type_name("N");
  cli.add_option("--out", o.out, "the run's folder")->type_name("DIR")->required();
}

Result<unlearn::Knobs> knobs_of(const unlearn::Method& method, const TrainingOptions& o) {
  unlearn::Knobs knobs;
  for (const std::string& text : o.knobs) {
    const auto [name, value] = TRY(parse_knob(text));
    knobs[name] = TRY(unlearn::knob_value(method, name, value));
  }
  for (const auto& [name, value] : {std::pair("epochs", o.epochs), std::pair("lr", o.lr),
                                    std::pair("batch", o.batch), std::pair("lora", o.lora)})
    if (value) knobs[name] = *value;
  return unlearn::complete(method, knobs);
}

Result<Json> probabilities(const Trainee& t) {
  verify::EvaluateOptions options;
  options.system = t.system;
  options.generate = false;
  std::vector<verify::QaSet> sets;
  constexpr size_t kMost = 100;  // of each set: an indication while training
  for (const auto& [name, items] : {std::pair("forget", &t.forget), std::pair("retain", &t.retain)})
    sets.push_back({name,
                    {items->begin(), items->begin() + static_cast<std::ptrdiff_t>(
                                                          std::min(kMost, items->size()))}});
  Json figures = Json::object();
  for (const auto& [name, records] :
       TRY(verify::evaluate(t.patient, sets, options, {}, base::Job(t.progress))).records) {
    if (records.empty()) continue;
    double sum = 0;
    for (const verify::QaRecord& r : records) sum += r.score.prob();
    figures[name + "_prob"] = sum / static_cast<double>(records.size());
  }
  return figures;
}

Result<TrainedRun> run_training(const Trainee& t) {
  const base::Stopwatch clock;
  const unlearn::TrainingSet set =
      TRY(unlearn::training_set(t.patient, t.forget, t.retain, t.system, t.seed));
  unlearn::Problem problem{t.patient.model, {}, {}, {}, nullptr, {}, {}, t.seed};
  problem.training = &set;
  if (!t.method.objective) {
    unlearn::RowSets rows = unlearn::answer_rows(set);
    problem.forget = std::move(rows.forget);
    problem.retain = std::move(rows.retain);
    problem.refusal = std::move(rows.refusal);
  }
  problem.run.progress = t.progress;
  problem.run.group = t.group;
  const bool writes = !t.out.empty() && tensor::leads(t.group);
  const Json identity = identity_of(t);
  Json record = identity;
  record["citation"] = t.method.citation;
  record["expunge"] = base::kVersion;
  record["libtorch"] = tensor::libtorch_version();
  record["processes"] = t.group ? t.group->size() : 1;
  record["epochs"] = Json::array();
  if (!t.out.empty()) {
    problem.run.checkpoint = t.out + "/checkpoint.safetensors";
    problem.run.identity = identity.dump();
    TRY(base::make_dirs(t.out));
    if (writes) TRY(write_record(t.out, record));
    if (t.method.objective && unlearn::trains_all(*t.method.objective, t.knobs))
      TRY(t.patient.model.park(t.out));
  }
  if (t.eval_every > 0 && tensor::leads(t.group))
    problem.run.after_epoch = [&](int64_t epoch, const edit::Trained& trained) -> base::Status {
      if (epoch % t.eval_every != 0) return {};
      const auto scope = TRY(edit::ScopedEdit::apply(t.patient.model, trained.edit()));
      Json figures = TRY(probabilities(t));
      figures["epoch"] = epoch;
      record["epochs"].push_back(std::move(figures));
      return writes ? write_record(t.out, record) : base::Status();
    };
  problem.run.done = [&](const edit::Fitted& fitted) {
    record["losses"] = fitted.losses;
    record["gradient_norms"] = fitted.gradient_norms;
    record["step_seconds"] = fitted.step_seconds;
    record["resumed_at"] = fitted.resumed_at;
  };
  edit::Edit edit = TRY(unlearn::propose(t.method, problem, t.knobs));
  record["edit_norm"] = edit::relative_norm(t.patient.model, edit);
  record["seconds"] = clock.seconds();
  record["peak_memory_gb"] = peak_memory_gb();
  return TrainedRun{std::move(edit), std::move(record)};
}

base::Status write_record(const std::string& out, const Json& record) {
  return base::write_file_atomic(out + "/run.json", base::dump_json(record, 1) + "\n");
}

double peak_memory_gb() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024 / 1e9;  // KiB
}

}  // namespace expunge::app
