// expunge eval: what a model remembers and what it still can, by the metrics of the field.
#include <algorithm>

#include "base/files.h"
#include "cli/access.h"
#include "cli/figures.h"
#include "edit/edit.h"
#include "service/suites.h"
#include "service/tofu.h"
#include "verify/eval_log.h"

namespace expunge::cli {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

struct Options {
  std::string what, suite = "tofu", out, from_logs;
  bool base = false;
  service::SuiteInput input;
};

struct Subject {
  std::string label;
  std::optional<int64_t> entry;
  model::ChatModel patient;       // without edits
  std::vector<edit::Edit> edits;  // that held after the entry
};

// MODEL, ENTRY or nothing: the model of -m with its active edits.
Result<Subject> subject_of(const Options& o, Context& context) {
  const bool number = !o.what.empty() && o.what.size() < 10 &&
                      std::ranges::all_of(o.what, [](char c) { return c >= '0' && c <= '9'; });
  const bool model = !o.what.empty() && !number;
  model::ChatModel patient = TRY(model::load_chat_model(model ? o.what : context.globals.model));
  const std::string name = patient.path.substr(patient.path.find_last_of('/') + 1);
  Subject s{name, std::nullopt, std::move(patient), {}};
  if (model) return s;
  const auto journal = TRY(service::open_journal(place_of(context), journal::Mode::kReadOnly));
  if (number && !journal)
    return fail(Code::kNotFound, fmt::format("there is no entry {}", o.what), "see expunge log");
  if (!journal) return s;
  const int64_t entry = number ? std::stoll(o.what) : TRY(journal->head());
  if (entry == 0 && !number) return s;
  s.edits = TRY(journal->active_edits(entry));
  s.label = fmt::format("entry {}", entry);
  s.entry = entry;
  return s;
}

Result<Answer> from_logs(const Options& o, Context& context) {
  verify::Evaluation evaluation;
  evaluation.records = TRY(verify::read_records(o.from_logs));
  if (!o.input.retain_logs.empty())
    evaluation.reference = TRY(verify::read_records(o.input.retain_logs));
  const std::vector<publish::ReportRun> runs = {
      {"log", TRY(service::figures_of(std::move(evaluation), o.input.metrics))}};
  print_figures(context.terminal, runs);
  return Answer{runs[0].evaluation};
}

Result<Answer> eval(const Options& o, Context& context) {
  Terminal& t = context.terminal;
  if (!o.from_logs.empty()) return from_logs(o, context);
  TRY(join_group(context));
  const bool leads = tensor::leads(context.group.get());
  service::SuiteInput input = o.input;
  input.progress = t.progress();
  input.group = context.group.get();
  const auto suite = std::ranges::find(service::suites(), o.suite, &service::Suite::name);
  if (leads && !o.out.empty()) input.retain_file = o.out + "/retain.json";
  service::Work work = TRY(suite->prepare(input));
  work.suite = o.suite;
  const std::string out = leads ? o.out : "";  // rank 0 alone writes
  if (!out.empty()) TRY(base::make_dirs(out));
  const auto file = [&](const char* name) {
    return out.empty() ? std::string() : out + "/" + name;
  };
  Subject subject = TRY(subject_of(o, context));
  std::vector<publish::ReportRun> runs;
  const auto evaluate = [&](const std::string& label, std::optional<int64_t> entry,
                            const char* name) -> base::Status {
    runs.push_back(
        {label, TRY(service::run_evaluation(subject.patient, {label, entry, file(name)}, work))});
    return {};
  };
  if (o.base && subject.entry) TRY(evaluate("base", std::nullopt, "base.json"));
  subject.patient.model = TRY(edit::apply(subject.patient.model, subject.edits));
  TRY(evaluate(subject.label, subject.entry, "evaluation.json"));
  t.clear_progress();
  print_figures(t, runs);
  Answer answer{runs.back().evaluation};
  if (runs.size() > 1)
    for (const char* key : {"summary", "absent"})
      answer.json["base"][key] = runs.front().evaluation[key];
  // The page shows questions and replies, which only TOFU's records hold.
  if (o.suite == "tofu" && !out.empty()) {
    const std::string page = file("report.html");
    TRY(base::write_file_atomic(page, TRY(publish::html_report(runs))));
    t.note("Every item: " + page);
    answer.json["report"] = page;
  }
  return answer;
}

Action declare(Arguments& cli) {
  auto o = std::make_shared<Options>();
  service::SuiteInput& in = o->input;
  cli.add_option("what", o->what,
                 "a model, or an entry of the journal (the model of -m as it is now)")
      ->type_name("");
  std::vector<std::string> names;
  for (const service::Suite& suite : service::suites()) names.emplace_back(suite.name);
  cli.add_option("--suite", o->suite, "tofu, mcq, ppl or tdec (tofu); see expunge suites")
      ->type_name("NAME")
      ->one_of(names);
  cli.add_option("--data", in.data, "the suite's file or folder (data/tofu)")->type_name("PATH");
  cli.add_option("--examples", in.examples, "mcq: worked examples, a file or folder")
      ->type_name("PATH");
  cli.add_option("--context", in.context, "ppl: tokens a window (1024, or the model's)")
      ->type_name("N");
  cli.add_option("--stride", in.stride, "ppl: from window to window (the context)")->type_name("N");
  cli.add_option("--forget", in.forget, "split or file to be forgotten (forget10)")->type_name("F");
  cli.add_option("--retain", in.retain, "split or file to be kept (retain)")->type_name("R");
  cli.add_option("--holdout", in.holdout, "file that no model saw, for PrivLeak and attacks")
      ->type_name("FILE");
  cli.add_option("--sets", in.sets, "forget,retain,real_authors,world_facts,holdout (all)")
      ->type_name("A,B")
      ->delimiter(',')
      ->one_of({"forget", "retain", "real_authors", "world_facts", "holdout"});
  cli.add_option("--limit", in.limit,
                 "the first items of each set or subject, tokens of ppl; 0: all (0)")
      ->type_name("N");
  cli.add_option("--retain-model", in.retain_model, "a model that never saw the forget set")
      ->type_name("MODEL");
  cli.add_option("--retain-logs", in.retain_logs, "records or a TOFU log of such a model")
      ->type_name("LOG");
  cli.add_option("--from-logs", o->from_logs, "the figures of a log, without a model")
      ->type_name("LOG");
  cli.add_option("--metrics", in.metrics, "only these; see expunge metrics")
      ->type_name("A,B")
      ->delimiter(',');
  cli.add_option("--system", in.system, "a system message before every question")
      ->type_name("TEXT");
  cli.add_option("--max-tokens", in.max_new_tokens, "of a generated answer (200)")
      ->type_name("N")
      ->range(1, 100000);
  cli.add_flag("--no-generation", in.no_generation, "score only: no ROUGE");
  cli.add_option("--parity", in.parity, "open-unlearning: that project's numbers (none)")
      ->type_name("NAME");
  cli.add_flag("--base", o->base, "the model without edits too, side by side");
  cli.add_option("--out", o->out, "folder for evaluation.json and report.html")->type_name("DIR");
  return [o](Context& context) { return eval(*o, context); };
}

}  // namespace

extern const Command command_eval;
const Command command_eval{
    "eval", "evaluate a model: forget quality, utility, memorisation",
    "Ctrl+C keeps what was computed; the same command with the same --out goes on.\n"
    "Examples:\n  expunge eval --data TOFU --forget forget05 --out runs/now --base\n"
    "  expunge eval --from-logs LOG.json --retain-logs RETAIN.json",
    declare};

}  // namespace expunge::cli
