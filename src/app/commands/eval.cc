// expunge eval: what a model remembers and what it still can, by the metrics of the field.
#include <unistd.h>

#include "app/access.h"
#include "app/evaluation.h"
#include "app/layout.h"
#include "app/suites.h"
#include "base/files.h"
#include "base/version.h"
#include "publish/html_report.h"
#include "verify/eval_log.h"

namespace expunge::app {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

struct Options {
  std::string what, suite = "tofu", data = "data/tofu", examples, out;
  std::string forget = "forget10", retain = "retain", holdout;
  std::vector<std::string> sets, metrics;
  size_t limit = 0;
  int64_t context = 0, stride = 0;
  int64_t max_new_tokens = 200;
  std::string retain_model, retain_logs, from_logs, system, parity = "none";
  bool base = false, no_generate = false;
};

// A set's file: a path, or the name of a split in the data folder, with perturbed answers if there
// are any.
Result<std::string> file_of(const Options& o, const std::string& split) {
  for (const std::string& path :
       {split, o.data + "/" + split + "_perturbed.json", o.data + "/" + split + ".json"})
    if (access(path.c_str(), R_OK) == 0 && path.find('.') != path.npos) return path;
  return fail(Code::kNotFound,
              fmt::format("no set '{}' in {}", printable(split), printable(o.data)),
              "--data names the folder of TOFU's JSON files "
              "(huggingface.co/datasets/locuslab/TOFU)");
}

Result<std::vector<verify::QaSet>> sets_of(const Options& o) {
  std::vector<std::string> wanted = o.sets;
  if (wanted.empty()) {
    wanted = {"forget", "retain", "real_authors", "world_facts"};
    if (!o.holdout.empty()) wanted.emplace_back("holdout");
  }
  std::vector<verify::QaSet> sets;
  for (const std::string& name : wanted) {
    const std::string split = name == "forget"    ? o.forget
                              : name == "retain"  ? o.retain
                              : name == "holdout" ? o.holdout
                                                  : name;
    if (split.empty()) return fail(Code::kUsage, "a holdout set needs --holdout FILE", "");
    sets.push_back({name, TRY(text::read_qa(TRY(file_of(o, split)), o.limit))});
  }
  return sets;
}

// The edits that held right after entry `id` was written.
Result<std::vector<edit::Edit>> edits_at(const journal::Journal& journal, int64_t id) {
  std::vector<int64_t> active;
  bool found = false;
  for (const journal::Entry& e : TRY(journal.entries())) {
    if (e.id > id) break;
    found = e.id == id;
    if (e.undoes > 0)
      std::erase(active, e.undoes);
    else
      active.push_back(e.id);
  }
  if (!found)
    return fail(Code::kNotFound, fmt::format("there is no entry {}", id), "see expunge log");
  std::vector<edit::Edit> edits;
  for (const int64_t a : active) edits.push_back(TRY(journal.edit(a)));
  return edits;
}

struct Subject {
  std::string label;
  std::optional<int64_t> entry;
  model::Patient patient;
};

// MODEL, ENTRY or nothing: the model of -m with its active edits.
Result<Subject> subject_of(const Options& o, Context& context) {
  const auto file_name = [](const std::string& path) {
    return path.substr(path.find_last_of('/') + 1);
  };
  const bool number = !o.what.empty() &&
                      std::ranges::all_of(o.what, [](char c) { return c >= '0' && c <= '9'; }) &&
                      o.what.size() < 10;
  if (!o.what.empty() && !number) {
    model::Patient patient = TRY(model::load_patient(o.what));
    return Subject{file_name(patient.path), std::nullopt, std::move(patient)};
  }
  model::Patient patient = TRY(model::load_patient(context.globals.model));
  const auto journal = TRY(open_journal(context, journal::Mode::kReadOnly));
  std::optional<int64_t> entry;
  if (number && !journal)
    return fail(Code::kNotFound, fmt::format("there is no entry {}", o.what), "see expunge log");
  if (journal) {
    entry = number ? std::stoll(o.what) : TRY(journal->head());
    if (*entry == 0) entry.reset();
    if (entry) TRY(edit::commit(*patient.model, TRY(edits_at(*journal, *entry))));
  }
  const std::string label = entry ? fmt::format("entry {}", *entry) : file_name(patient.path);
  return Subject{label, entry, std::move(patient)};
}

Result<std::optional<verify::Records>> reference_of(const Options& o,
                                                    const std::vector<verify::QaSet>& sets,
                                                    const EvaluationRun& like) {
  if (!o.retain_logs.empty()) return TRY(verify::read_records(o.retain_logs));
  if (o.retain_model.empty()) return std::nullopt;
  const model::Patient gold = TRY_AT("--retain-model", model::load_patient(o.retain_model));
  std::vector<verify::QaSet> needed;
  for (const verify::QaSet& set : sets)
    if (set.name == "forget" || set.name == "holdout") needed.push_back(set);
  verify::EvaluateOptions options = like.options;
  options.generate = false;
  options.keep = {};
  return TRY(verify::evaluate(gold, needed, options)).records;
}

Result<Answer> from_logs(const Options& o, Context& context) {
  verify::Evaluation evaluation;
  evaluation.records = TRY(verify::read_records(o.from_logs));
  if (!o.retain_logs.empty()) evaluation.reference = TRY(verify::read_records(o.retain_logs));
  const Json figures = TRY(figures_of(std::move(evaluation), o.metrics));
  print_figures(context.terminal, {{"log", figures}});
  return Answer{figures};
}

// A suite of one pass: its figures, and evaluation.json with --out.
Result<Answer> eval_suite(const Suite& suite, const Options& o, Context& context) {
  Terminal& t = context.terminal;
  const Subject subject = TRY(subject_of(o, context));
  const base::Stopwatch clock;
  Json json = {{"suite", suite.name},
               {"model", subject.label},
               {"entry", subject.entry ? Json(*subject.entry) : Json()},
               {"weights_hash", subject.patient.model->weights_hash()},
               {"expunge", base::kVersion},
               {"absent", Json::object()}};
  json.update(TRY(suite.run(subject.patient,
                            {o.data, o.examples, o.limit, o.context, o.stride, t.progress()})));
  json["seconds"] = clock.seconds();
  t.clear_progress();
  print_figures(t, {{subject.label, json}});
  if (!o.out.empty()) {
    TRY(base::make_dirs(o.out));
    TRY(base::write_file_atomic(o.out + "/evaluation.json", base::dump_json(json)));
  }
  return Answer{json};
}

Result<Answer> eval(const Options& o, Context& context) {
  Terminal& t = context.terminal;
  if (!o.from_logs.empty()) return from_logs(o, context);
  for (const Suite& suite : suites())
    if (suite.name == o.suite && suite.run) return eval_suite(suite, o, context);
  EvaluationRun run;
  if (o.parity == "open-unlearning")
    run.options.parity = verify::Parity::kOpenUnlearning;
  else if (o.parity != "none")
    return fail(Code::kUsage, fmt::format("no parity with '{}'", printable(o.parity)),
                "none or open-unlearning");
  run.sets = TRY(sets_of(o));
  TRY(figures_of({}, o.metrics));  // an unknown metric is told before the work
  run.metrics = o.metrics;
  run.options.system = o.system;
  run.options.max_new_tokens = o.max_new_tokens;
  run.options.generate = !o.no_generate;
  run.options.progress = t.progress();
  if (!o.out.empty()) TRY(base::make_dirs(o.out));
  const auto file = [&](const char* name) {
    return o.out.empty() ? std::string() : o.out + "/" + name;
  };
  Subject subject = TRY(subject_of(o, context));
  const auto reference = TRY(reference_of(o, run.sets, run));
  std::vector<publish::ReportRun> runs;
  std::vector<std::pair<std::string, Json>> table;
  const auto evaluate = [&](const std::string& label, std::optional<int64_t> entry,
                            const char* name) -> base::Status {
    EvaluationRun one = run;
    one.label = label;
    one.entry = entry;
    one.file = file(name);
    Json json = TRY(run_evaluation(subject.patient, std::move(one), reference));
    table.emplace_back(label, Json{{"summary", json["summary"]}, {"absent", json["absent"]}});
    runs.push_back({label, std::move(json)});
    return {};
  };
  if (o.base && subject.entry) {
    auto edited = subject.patient.model->changed();
    std::map<std::string, model::Param> kept;
    for (const std::string& name : edited) {
      kept.emplace(name, subject.patient.model->param(name));
      TRY(subject.patient.model->restore(name));
    }
    TRY(evaluate("base", std::nullopt, "base.json"));
    for (auto& [name, param] : kept) subject.patient.model->set_param(name, std::move(param));
  }
  TRY(evaluate(subject.label, subject.entry, "evaluation.json"));
  t.clear_progress();
  print_figures(t, table);
  Answer answer{runs.back().evaluation};
  if (!o.out.empty()) {
    const std::string page = file("report.html");
    TRY(base::write_file_atomic(page, TRY(publish::html_report(runs))));
    t.note("Every item: " + page);
    answer.json["report"] = page;
  }
  if (runs.size() > 1) answer.json["base"] = table.front().second;
  return answer;
}

Action declare(CLI::App& cli) {
  auto o = std::make_shared<Options>();
  cli.add_option("what", o->what,
                 "a model, or an entry of the journal (the model of -m as it is now)")
      ->type_name("");
  std::vector<std::string> names;
  for (const Suite& suite : suites()) names.emplace_back(suite.name);
  cli.add_option("--suite", o->suite, "tofu, mcq, ppl or tdec (tofu); see expunge suites")
      ->type_name("NAME")
      ->check(CLI::IsMember(names));
  cli.add_option("--data", o->data, "the suite's file or folder (data/tofu)")->type_name("PATH");
  cli.add_option("--examples", o->examples, "mcq: worked examples, a file or folder")
      ->type_name("PATH");
  cli.add_option("--context", o->context, "ppl: tokens a window (1024, or the model's)")
      ->type_name("N");
  cli.add_option("--stride", o->stride, "ppl: from window to window (the context)")->type_name("N");
  cli.add_option("--forget", o->forget, "split or file to be forgotten (forget10)")->type_name("F");
  cli.add_option("--retain", o->retain, "split or file to be kept (retain)")->type_name("R");
  cli.add_option("--holdout", o->holdout, "file that no model saw, for PrivLeak and attacks")
      ->type_name("FILE");
  cli.add_option("--sets", o->sets, "forget,retain,real_authors,world_facts,holdout (all)")
      ->type_name("A,B")
      ->delimiter(',')
      ->check(CLI::IsMember({"forget", "retain", "real_authors", "world_facts", "holdout"}));
  cli.add_option("--limit", o->limit,
                 "the first items of each set or subject, tokens of ppl; 0: all (0)")
      ->type_name("N");
  cli.add_option("--retain-model", o->retain_model, "a model that never saw the forget set")
      ->type_name("MODEL");
  cli.add_option("--retain-logs", o->retain_logs, "records or a TOFU log of such a model")
      ->type_name("LOG");
  cli.add_option("--from-logs", o->from_logs, "the figures of a log, without a model")
      ->type_name("LOG");
  cli.add_option("--metrics", o->metrics, "only these; see expunge metrics")
      ->type_name("A,B")
      ->delimiter(',');
  cli.add_option("--system", o->system, "a system message before every question")
      ->type_name("TEXT");
  cli.add_option("--max-tokens", o->max_new_tokens, "of a generated answer (200)")
      ->type_name("N")
      ->check(CLI::Range(1, 100000));
  cli.add_flag("--no-generation", o->no_generate, "score only: no ROUGE");
  cli.add_option("--parity", o->parity, "open-unlearning: that project's numbers (none)")
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

}  // namespace expunge::app
