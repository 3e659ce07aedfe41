// expunge finetune and expunge unlearn: training on examples, to know them or to forget them.
#include <filesystem>

#include "cli/access.h"
#include "cli/layout.h"
#include "cli/signals.h"
#include "publish/publish.h"
#include "service/training.h"
#include "unlearn/train.h"

namespace expunge::cli {
namespace {

using base::Result;

struct TrainFlags {
  std::string model, method = "npo", forget, retain, data = "data/tofu";
  std::vector<std::string> files;
  service::TrainingOptions training;
};

// --epochs, --lr, --batch, --lora, --knob, --seed, --system, --limit, --checkpoint-every, --out.
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
  cli.add_option("--checkpoint-every", o.checkpoint_every,
                 "steps between two checkpoints; 0: about 2 % of the time goes into them (0)")
      ->type_name("N")
      ->range(0, 1000000000);
  cli.add_option("--out", o.out, "the run's folder")->type_name("DIR")->required();
}

Result<service::ExampleSet> read_set(const TrainFlags& o, const std::string& split) {
  const std::string file = TRY(text::qa_file(o.data, split));
  return service::read_examples({&file, 1}, o.training.limit);
}

std::string figures_text(const service::SetFigures& f) {
  return fmt::format("answers' probability {:.3f}{}", *f.forget_prob,
                     f.retain_prob ? fmt::format(", to be kept {:.3f}", *f.retain_prob) : "");
}

void print_run(Terminal& t, const service::RunSummary& s) {
  t.clear_progress();
  if (s.fitted && !s.fitted->losses.empty())  // none of a closed form
    t.line("{} steps, loss {:.4g} to {:.4g}; {}, {:.2f} GB", s.fitted->losses.size(),
           s.fitted->losses.front(), s.fitted->losses.back(), duration(s.seconds.value_or(0)),
           s.peak_memory_gb.value_or(0));
  for (const auto& [figures, label] :
       {std::pair(&s.before, "before"), std::pair(&s.after, "after")})
    if (*figures && (*figures)->forget_prob)
      t.line("  {}  {}", pad(label, 6), figures_text(**figures));
}

service::TrainingRequest request_of(const service::TrainingOptions& o,
                                    const model::ChatModel& chat_model,
                                    const unlearn::Method& method, unlearn::Knobs knobs,
                                    Context& context) {
  service::TrainingRequest r{chat_model, method, std::move(knobs)};
  r.system = o.system;
  r.seed = o.seed;
  r.eval_every = o.eval_every;
  r.checkpoint_every = o.checkpoint_every;
  r.out = o.out;
  r.group = context.group.get();
  r.note = [&t = context.terminal](const std::string& text) {
    t.clear_progress();
    t.note(text);
  };
  return r;
}

// The result exists already: a failure to write its record does not undo it.
void write_or_note(const std::string& out, const service::RunSummary& summary,
                   const service::TrainingRequest& request) {
  if (const base::Status written = service::write_summary(out, summary); !written)
    request.note(fmt::format("run.json was not written: {}", written.error().message));
}

// What save_trained writes: float32 weights; tokenizer and other small files.
uint64_t saved_bytes(const model::Model& model) {
  uint64_t bytes = 32 << 20;
  bytes += model.weight_bytes();
  return bytes;
}

Result<Answer> finetune(TrainFlags o, Context& context) {
  TRY(require_float(context));
  TRY(check_named_once(context, o.model));
  if (o.model.empty()) o.model = context.globals.model;
  TRY(join_group(context));
  const base::Job job = context.job;
  const unlearn::Method& method = unlearn::finetuning();
  auto knobs = TRY(service::knobs_of(method, o.training));
  while (o.training.out.size() > 1 && o.training.out.ends_with('/')) o.training.out.pop_back();
  publish::ExportOptions options;
  options.format = publish::Format::kSafetensors;
  options.dtype = tensor::DType::kF32;
  options.path = o.training.out;
  service::ExampleSet examples = TRY(service::read_examples(o.files, o.training.limit));
  model::ChatModel chat_model = TRY(load_model(context, o.model));
  TRY(publish::check_destination(chat_model.model, options));  // before the work
  service::TrainingRequest request =
      request_of(o.training, chat_model, method, std::move(knobs), context);
  request.forget = std::move(examples);
  request.out = o.training.out + ".run";  // the folder itself appears complete
  request.result_folder = request.out;
  request.result_bytes = saved_bytes(chat_model.model);
  service::TrainingResult run = TRY(service::run_training(request, job));
  if (!tensor::leads(request.group)) return Answer{};
  const model::ChatModel trained = chat_model.with(TRY(edit::apply(chat_model.model, run.edit)));
  run.edit = {};
  run.summary.after =
      TRY(service::probabilities(trained, request.system, request.forget.items, {}, job));
  run.summary.trained_weights_hash = trained.model.weights_hash();
  run.space.release();
  const auto saved =
      TRY(publish::save_trained(trained.model, {{"training", to_json(run.summary)}}, options, job));
  std::filesystem::remove_all(request.out);
  write_or_note(o.training.out, run.summary, request);
  print_run(context.terminal, run.summary);
  context.terminal.line("The model: {} ({:.0f} MB, float32)", printable(saved.path),
                        static_cast<double>(saved.size_bytes) / 1e6);
  Answer answer{to_json(run.summary)};
  answer.json["model"] = saved.path;
  return answer;
}

journal::Draft draft_of(const service::TrainingRequest& request, const service::RunSummary& s) {
  journal::Draft draft;
  draft.request = {{"intent", "forget"},
                   {"examples", {{"forget", to_json(s.forget)}, {"retain", to_json(s.retain)}}},
                   {"system", request.system}};
  draft.method = request.method.name;
  draft.report = {{"before", to_json(*s.before)},
                  {"after", to_json(*s.after)},
                  {"edit_norm", *s.edit_norm},
                  {"seconds", *s.seconds}};
  draft.verdict = "trained";
  draft.seed = request.seed;
  return draft;
}

Result<Answer> unlearn_examples(const TrainFlags& o, Context& context) {
  TRY(require_float(context));
  TRY(check_named_once(context, o.model));
  TRY(check_data_folder(context, {o.forget, o.retain}));
  TRY(join_group(context));
  const base::Job job = context.job;
  const bool leads = tensor::leads(context.group.get());
  const unlearn::Method& method = *TRY(unlearn::find_method(o.method));
  auto knobs = TRY(service::knobs_of(method, o.training));
  auto forget = TRY(read_set(o, o.forget));
  service::ExampleSet retain;
  if (!o.retain.empty()) retain = TRY(read_set(o, o.retain));
  if (!o.model.empty()) context.globals.model = o.model;
  const auto session =
      TRY(open_session(context, leads ? journal::Mode::kReadWrite : journal::Mode::kReadOrEmpty));
  const model::ChatModel present = session->present();
  service::TrainingRequest request =
      request_of(o.training, present, method, std::move(knobs), context);
  request.forget = std::move(forget);
  request.retain = std::move(retain);
  request.result_folder = std::filesystem::absolute(session->journal_path()).parent_path().string();
  const auto figures = [&](const model::ChatModel& model) {
    return service::probabilities(model, request.system, request.forget.items, request.retain.items,
                                  job);
  };
  service::SetFigures before;
  if (leads) before = TRY(figures(present));
  service::TrainingResult run = TRY(service::run_training(request, job));
  if (!leads) return Answer{};
  run.summary.before = before;
  run.summary.after = TRY(figures(present.with(TRY(edit::apply(present.model, run.edit)))));
  run.space.release();
  run.summary.entry = TRY(session->add(std::move(run.edit), draft_of(request, run.summary)));
  service::discard_checkpoint(request.out);
  write_or_note(request.out, run.summary, request);
  print_run(context.terminal, run.summary);
  context.terminal.line("Entry {} of the journal; undo with: expunge undo", *run.summary.entry);
  return Answer{to_json(run.summary)};
}

Action declare_finetune(Arguments& cli) {
  auto o = std::make_shared<TrainFlags>();
  cli.add_option("model", o->model, "what to begin with (the default model)")->type_name("");
  cli.add_option("--data", o->files, "questions and answers, JSON lines; may be repeated")
      ->type_name("FILE")
      ->required();
  add_training_options(cli, o->training);
  return [o](Context& context) { return finetune(*o, context); };
}

Action declare_unlearn(Arguments& cli) {
  auto o = std::make_shared<TrainFlags>();
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
    "The same command resumes a run that was ended, by Ctrl+C or anything else.\n"
    "Example:\n  expunge finetune --data TOFU/full.json --epochs 5 --out models/full",
    declare_finetune, kAllButJournal};

extern const Command command_unlearn;
const Command command_unlearn{
    "unlearn", "train a model to forget questions and answers",
    "The change is an entry of the journal like any other: undo, verify, export.\n"
    "The same command resumes a run that was ended, by Ctrl+C or anything else.\n"
    "Example:\n  expunge unlearn models/full --method npo --data TOFU --forget forget05\n"
    "    --retain retain95 --lora 16 --out runs/npo",
    declare_unlearn};

}  // namespace expunge::cli
