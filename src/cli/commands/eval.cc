// expunge eval: what a model remembers and what it still can, by the metrics of the field.
#include <algorithm>

#include "cli/access.h"
#include "cli/figures.h"
#include "service/json.h"

namespace expunge::cli {
namespace {

using base::Code;
using base::fail;
using base::Result;

struct EvalFlags {
  std::string what, suite = "tofu", out, from_logs;
  bool base = false;
  std::map<std::string, std::string> values;  // of the service::suites' options, by name
};

// --from-logs reads a log in place of a model: options for a model have no effect.
base::Status check_log_options(const EvalFlags& o, const Globals& globals) {
  constexpr std::string_view kTakes[] = {"--from-logs", "--out",  "--retain-logs", "--metrics",
                                         "--force",     "--json", "--quiet"};
  for (const std::string& option : globals.names)
    if (std::ranges::find(kTakes, option) == std::end(kTakes))
      return fail(Code::kUsage,
                  fmt::format("--from-logs evaluates a log, it does not take {}",
                              option == "what" ? "a model or entry" : option),
                  "it takes --retain-logs, --force, --metrics and --out");
  if (o.values.contains("force") && !o.values.contains("retain-logs"))
    return fail(Code::kUsage, "--force has no effect: there are no --retain-logs to compare with",
                "leave out --force");
  return {};
}

bool is_entry(const std::string& what) {
  return !what.empty() && what.size() < 10 &&
         std::ranges::all_of(what, [](char c) { return c >= '0' && c <= '9'; });
}

base::Status check_model_options(const EvalFlags& o, const Context& context) {
  if (o.what.empty() || is_entry(o.what)) return {};
  TRY(check_named_once(context, o.what));
  if (context.globals.given("--journal") || o.base)
    return fail(Code::kUsage,
                fmt::format("{} has no effect: a model's file is evaluated without edits",
                            o.base ? "--base" : "--journal"),
                "give the model by -m to evaluate it with its edits");
  return {};
}

// MODEL, ENTRY or nothing: the model of -m with its active edits.
service::EvaluateRequest request_of(const EvalFlags& o, Context& context) {
  service::EvaluateRequest r{.place = place_of(context)};
  if (is_entry(o.what)) {
    r.entry = std::stoll(o.what);
  } else if (!o.what.empty()) {
    r.place.model = o.what;
    r.edits = service::Edits::kIgnored;
  }
  r.with_base = o.base;
  r.suite = o.suite;
  r.out = o.out;
  r.values = o.values;
  r.group = context.group.get();
  r.note = notes_of(context);
  return r;
}

Result<Answer> answer_of(service::EvaluateResult result, Terminal& t) {
  t.clear_progress();
  print_figures(t, result.runs);
  TRY(service::write_report(result));
  if (!result.report.empty()) t.note("Every item: " + result.report);
  return Answer{service::to_json(result)};
}

Result<Answer> from_logs(const EvalFlags& o, Context& context) {
  TRY(check_log_options(o, context.globals));
  const verify::SuiteValues values(o.values);
  verify::LogOptions log{o.from_logs, values.text("retain-logs"), values.list("metrics")};
  if (values.has("force")) log.compare = verify::Compare::kAnyQuestions;
  return answer_of(TRY(service::evaluate_log(log, o.out)), context.terminal);
}

Result<Answer> eval(const EvalFlags& o, Context& context) {
  if (!o.from_logs.empty()) return from_logs(o, context);
  TRY(check_model_options(o, context));
  TRY(join_group(context));
  return answer_of(TRY(service::evaluate(request_of(o, context), context.job)), context.terminal);
}

// The flags of all suites, each once, its help with the suites that take it.
void declare_suite_options(Arguments& cli, std::shared_ptr<EvalFlags> o) {
  const auto all = verify::suites();
  std::vector<std::string_view> declared;
  for (const verify::Suite* suite : all)
    for (const verify::SuiteOption& option : suite->options) {
      if (std::ranges::find(declared, option.name) != declared.end()) continue;
      declared.push_back(option.name);
      std::vector<std::string_view> takers;
      for (const verify::Suite* s : all)
        if (std::ranges::find(s->options, option.name, &verify::SuiteOption::name) !=
            s->options.end())
          takers.push_back(s->name);
      const std::string help =
          (takers.size() == all.size() ? "" : fmt::format("{}: ", fmt::join(takers, ", "))) +
          std::string(option.what);
      const std::string flag = "--" + std::string(option.name);
      const auto take = [o, name = std::string(option.name)](const std::string& value) {
        o->values[name] = value;
      };
      if (option.value.empty())
        cli.add_flag(flag, [take] { take(""); }, help);
      else
        cli.add_text(flag, take, help)->type_name(std::string(option.value));
    }
}

Action declare_eval(Arguments& cli) {
  auto o = std::make_shared<EvalFlags>();
  cli.add_option("what", o->what,
                 "a model, or an entry of the journal (the model of -m as it is now)")
      ->type_name("");
  std::vector<std::string> names;
  for (const verify::Suite* suite : verify::suites()) names.emplace_back(suite->name);
  cli.add_option("--suite", o->suite,
                 fmt::format("{} (tofu); see expunge suites", fmt::join(names, ", ")))
      ->type_name("NAME")
      ->one_of(names);
  cli.add_flag("--base", o->base, "the model without edits too, side by side");
  cli.add_option("--out", o->out, "folder for evaluation.json and report.html")->type_name("DIR");
  cli.add_option("--from-logs", o->from_logs, "the figures of a log, without a model")
      ->type_name("LOG");
  declare_suite_options(cli, o);
  return [o](Context& context) { return eval(*o, context); };
}

}  // namespace

extern const Command command_eval;
const Command command_eval{
    "eval", "evaluate a model: forget quality, utility, memorisation",
    "Ctrl+C keeps what was computed; the same command with the same --out resumes.\n"
    "Examples:\n  expunge eval --data TOFU --forget forget05 --out runs/now --base\n"
    "  expunge eval --from-logs LOG.json --retain-logs RETAIN.json",
    declare_eval};

}  // namespace expunge::cli
