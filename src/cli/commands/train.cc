// expunge finetune and expunge unlearn: what is learnt and unlearnt from examples.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "cli/access.h"
#include "cli/layout.h"
#include "publish/publish.h"
#include "service/training.h"
#include "unlearn/train.h"

namespace expunge::cli {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

struct Options {
  std::string model, method = "npo", forget, retain, data = "data/tofu";
  std::vector<std::string> files;
  service::TrainingOptions training;
};

Result<std::vector<text::QaItem>> read_set(const Options& o, const std::string& split) {
  return text::read_qa(TRY(service::qa_file(o.data, split)), o.training.limit);
}

void print_run(Terminal& t, const Json& record) {
  t.clear_progress();
  const Json losses = record.value("losses", Json::array());  // none of a closed form
  if (!losses.empty())
    t.line("{} steps, loss {:.4g} to {:.4g}; {}, {:.2f} GB", losses.size(),
           losses.front().get<double>(), losses.back().get<double>(),
           duration(record["seconds"].get<double>()), record["peak_memory_gb"].get<double>());
  for (const auto& [when, label] : {std::pair("before", "before"), std::pair("after", "after")})
    if (record.contains(when) && record[when].contains("forget_prob"))
      t.line("  {}  answers' probability {:.3f}{}", pad(label, 6),
             record[when]["forget_prob"].get<double>(),
             record[when].contains("retain_prob")
                 ? fmt::format(", to be kept {:.3f}", record[when]["retain_prob"].get<double>())
                 : "");
}

service::Trainee trainee_of(const service::TrainingOptions& o, const model::ChatModel& patient,
                            const unlearn::Method& method, unlearn::Knobs knobs, Context& context) {
  service::Trainee t{patient, method, std::move(knobs)};
  t.system = o.system;
  t.seed = o.seed;
  t.eval_every = o.eval_every;
  t.progress = context.terminal.progress();
  t.out = o.out;
  t.group = context.group.get();
  return t;
}

Result<Answer> finetune(const Options& o, Context& context) {
  TRY(join_group(context));
  const unlearn::Method& method = unlearn::finetuning();
  auto knobs = TRY(service::knobs_of(method, o.training));
  std::vector<text::QaItem> items;
  for (const std::string& file : o.files)
    for (text::QaItem& item : TRY(text::read_qa(file, o.training.limit)))
      items.push_back(std::move(item));
  publish::ExportOptions options;
  options.format = publish::Format::kSafetensors;
  options.dtype = tensor::DType::kF32;
  options.path = o.training.out;
  options.progress = context.terminal.progress();
  model::ChatModel patient = TRY(model::load_chat_model(o.model));
  TRY(publish::check_destination(patient.model, options));  // before the work
  if (service::parks(method, knobs)) {
    TRY(base::make_dirs(o.training.out + ".run"));
    patient.model = TRY(patient.model.parked(o.training.out + ".run"));
  }
  service::Trainee trainee = trainee_of(o.training, patient, method, std::move(knobs), context);
  trainee.forget = std::move(items);
  trainee.out = o.training.out + ".run";  // the folder itself is put in place whole
  service::TrainedRun run = TRY(service::run_training(trainee));
  if (!tensor::leads(trainee.group)) return Answer{};
  const model::Model trained = TRY(edit::apply(patient.model, run.edit));
  run.edit = {};
  run.record["after"] = TRY(service::probabilities(trainee, trained));
  run.record["trained_weights_hash"] = trained.weights_hash();
  const auto saved = TRY(publish::save_trained(trained, {{"training", run.record}}, options));
  TRY(service::write_record(o.training.out, run.record));
  std::filesystem::remove_all(trainee.out);
  print_run(context.terminal, run.record);
  context.terminal.line("The model: {} ({:.0f} MB, float32)", printable(saved.path),
                        static_cast<double>(saved.size_bytes) / 1e6);
  run.record["model"] = saved.path;
  return Answer{run.record};
}

Result<Answer> unlearn_examples(const Options& o, Context& context) {
  TRY(join_group(context));
  const bool leads = tensor::leads(context.group.get());
  const unlearn::Method& method = *TRY(unlearn::find_method(o.method));
  auto knobs = TRY(service::knobs_of(method, o.training));
  auto forget = TRY(read_set(o, o.forget));
  std::vector<text::QaItem> retain;
  if (!o.retain.empty()) retain = TRY(read_set(o, o.retain));
  if (!o.model.empty()) context.globals.model = o.model;
  const auto session =
      TRY(open_session(context, leads ? journal::Mode::kReadWrite : journal::Mode::kReadOrEmpty));
  if (service::parks(method, knobs)) {
    TRY(base::make_dirs(o.training.out));
    TRY(session->park(o.training.out));
  }
  const model::ChatModel present = session->present();
  service::Trainee trainee = trainee_of(o.training, present, method, std::move(knobs), context);
  trainee.forget = std::move(forget);
  trainee.retain = std::move(retain);
  const Json before = leads ? TRY(service::probabilities(trainee, present.model)) : Json();
  service::TrainedRun run = TRY(service::run_training(trainee));
  if (!leads) return Answer{};
  run.record["before"] = before;
  run.record["after"] =
      TRY(service::probabilities(trainee, TRY(edit::apply(present.model, run.edit))));
  present.model.rest();
  journal::Draft draft;
  draft.request = {
      {"intent", "forget"},
      {"examples", {{"forget", run.record["forget"]}, {"retain", run.record["retain"]}}},
      {"system", trainee.system}};
  draft.method = method.name;
  draft.report = {{"before", before},
                  {"after", run.record["after"]},
                  {"edit_norm", run.record["edit_norm"]},
                  {"seconds", run.record["seconds"]}};
  draft.verdict = "trained";
  draft.seed = trainee.seed;
  run.record["entry"] = TRY(session->add(std::move(run.edit), std::move(draft)));
  TRY(service::write_record(o.training.out, run.record));
  print_run(context.terminal, run.record);
  context.terminal.line("Entry {} of the journal; undo with: expunge undo",
                        run.record["entry"].get<int64_t>());
  return Answer{run.record};
}

// --epochs, --lr, --batch, --lora, --knob, --seed, --system, --limit, --out.
void add_training_options(Arguments& cli, service::TrainingOptions& o) {
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

Action declare_finetune(Arguments& cli) {
  auto o = std::make_shared<Options>();
  cli.add_option("model", o->model, "what to begin with (the default model)")->type_name("");
  cli.add_option("--data", o->files, "questions and answers, JSON lines; may be repeated")
      ->type_name("FILE")
      ->required();
  add_training_options(cli, o->training);
  return [o](Context& context) {
    if (o->model.empty()) o->model = context.globals.model;
    return finetune(*o, context);
  };
}

Action declare_unlearn(Arguments& cli) {
  auto o = std::make_shared<Options>();
  cli.add_option("model", o->model, "the model (the one of -m)")->type_name("");
  cli.add_option("--method", o->method, "how (npo); see expunge methods")->type_name("NAME");
  cli.add_option("--forget", o->forget, "questions and answers to forget: a file or a split")
      ->type_name("F")
      ->required();
  cli.add_option("--retain", o->retain, "those to keep")->type_name("R");
  cli.add_option("--data", o->data, "folder of the sets that are given by name (data/tofu)")
      ->type_name("DIR");
  add_training_options(cli, o->training);
  cli.add_option("--eval-each", o->training.eval_every,
                 "epochs between two looks at the answers' probability; 0: none (0)")
      ->type_name("N");
  return [o](Context& context) { return unlearn_examples(*o, context); };
}

}  // namespace

extern const Command command_finetune;
const Command command_finetune{
    "finetune", "train a model on questions and answers",
    "Makes the target that knows a set, or the gold model that never saw part of it.\n"
    "Ctrl+C keeps what was learnt so far; the same command goes on.\n"
    "Example:\n  expunge finetune --data TOFU/full.json --epochs 5 --out models/full",
    declare_finetune};

extern const Command command_unlearn;
const Command command_unlearn{
    "unlearn", "train a model to forget questions and answers",
    "The change is an entry of the journal like any other: undo, verify, export.\n"
    "Ctrl+C keeps what was learnt so far; the same command goes on.\n"
    "Example:\n  expunge unlearn models/full --method npo --data TOFU --forget forget05\n"
    "    --retain retain95 --lora 16 --out runs/npo",
    declare_unlearn};

}  // namespace expunge::cli
