// expunge finetune and expunge unlearn: training on examples, to know them or to forget them.
#include "cli/access.h"
#include "cli/layout.h"
#include "service/json.h"

namespace expunge::cli {
namespace {

using base::Result;

struct FinetuneFlags {
  service::FinetuneRequest request;
  bool adapter = false;
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

// What both do once their options are checked. The model is the one of -m where the command names
// none.
template <class Request>
base::Status begin(Request& request, Context& context) {
  TRY(join_group(context));
  const std::string named = request.place.model;
  request.place = place_of(context);
  if (!named.empty()) request.place.model = named;
  request.group = context.group.get();
  request.note = notes_of(context);
  return {};
}

Result<Answer> finetune(const FinetuneFlags& flags, Context& context) {
  service::FinetuneRequest request = flags.request;
  if (flags.adapter) request.saves = service::Saves::kAdapter;
  TRY(check_named_once(context, request.place.model));
  TRY(begin(request, context));
  const auto done = TRY(service::finetune(request, context.job));
  if (!done) return Answer{};
  print_run(context.terminal, done->summary);
  context.terminal.line("The {}: {} ({:.0f} MB, float32)",
                        request.saves == service::Saves::kAdapter ? "adapter" : "model",
                        printable(done->saved.path),
                        static_cast<double>(done->saved.size_bytes) / 1e6);
  return Answer{service::to_json(*done)};
}

Result<Answer> unlearn_examples(service::UnlearnRequest request, Context& context) {
  TRY(check_named_once(context, request.place.model));
  TRY(check_data_folder(context, {request.forget, request.retain}));
  TRY(begin(request, context));
  const auto done = TRY(service::unlearn(request, context.job));
  if (!done) return Answer{};
  print_run(context.terminal, *done);
  context.terminal.line("Entry {} of the journal; undo with: expunge undo", *done->entry);
  return Answer{service::to_json(*done)};
}

Action declare_finetune(Arguments& cli) {
  auto o = std::make_shared<FinetuneFlags>();
  service::FinetuneRequest& r = o->request;
  cli.add_option("model", r.place.model, "what to begin with (the default model)")->type_name("");
  cli.add_option("--data", r.files, "questions and answers, JSON lines; may be repeated")
      ->type_name("FILE")
      ->required();
  cli.add_option("--continue", r.options.adapter, "an adapter of such a run to go on from")
      ->type_name("DIR");
  cli.add_flag("--adapter", o->adapter, "with --lora: write the adapter alone, as PEFT does");
  add_training_options(cli, r.options);
  return [o](Context& context) { return finetune(*o, context); };
}

Action declare_unlearn(Arguments& cli) {
  auto o = std::make_shared<service::UnlearnRequest>();
  cli.add_option("model", o->place.model, "the model (the one of -m)")->type_name("");
  cli.add_option("--method", o->method, "how (npo); see expunge methods")->type_name("NAME");
  cli.add_option("--forget", o->forget, "questions and answers to forget: a file or a split")
      ->type_name("F")
      ->required();
  cli.add_option("--retain", o->retain, "those to keep")->type_name("R");
  cli.add_option("--data", o->data, "folder of the sets that are given by name (data/tofu)")
      ->type_name("DIR");
  add_training_options(cli, o->options);
  cli.add_option("--eval-each", o->options.eval_every,
                 "epochs between two looks at the answers' probability; 0: none (0)")
      ->type_name("N");
  return [o](Context& context) { return unlearn_examples(*o, context); };
}

}  // namespace

extern const Command command_finetune;
const Command command_finetune{
    "finetune",
    "train a model on questions and answers",
    "Makes the target that knows a set, or the gold model that never saw part of it.\n"
    "The same command resumes a run that was ended, by Ctrl+C or anything else.\n"
    "Example:\n  expunge finetune --data TOFU/full.json --epochs 5 --out models/full",
    declare_finetune,
    {Common::kModel, Common::kThreads}};

extern const Command command_unlearn;
const Command command_unlearn{
    "unlearn",
    "train a model to forget questions and answers",
    "The change is an entry of the journal like any other: undo, verify, export.\n"
    "The same command resumes a run that was ended, by Ctrl+C or anything else.\n"
    "Example:\n  expunge unlearn models/full --method npo --data TOFU --forget forget05\n"
    "    --retain retain95 --lora 16 --out runs/npo",
    declare_unlearn,
    {Common::kModel, Common::kJournal, Common::kThreads}};

}  // namespace expunge::cli
