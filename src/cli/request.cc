#include "cli/request.h"

#include <algorithm>

#include "cli/evidence.h"
#include "cli/layout.h"

namespace expunge::cli {
namespace {

using base::Code;
using base::fail;
using base::Result;

repair::Decision decide(Terminal& t, const verify::Report& best, Partial partial) {
  if (partial == Partial::kKeep) return repair::Decision::kKeepPartial;
  if (partial == Partial::kRevert || !t.interactive()) return repair::Decision::kRevert;
  t.print(gate_table(t, nullptr, best));
  t.note("Not all gates pass: " + failures(best) + ".");
  const auto choice = t.choose("Keep this partial edit, or none? [p/N]", "pn");
  return choice && *choice == 'p' ? repair::Decision::kKeepPartial : repair::Decision::kRevert;
}

// "watchdog 1 ms · plan 20 ms · …"
std::string timings(const std::map<std::string, double>& seconds) {
  std::string out;
  for (const char* name :
       {"background", "watchdog", "plan", "capture", "solve", "search", "gates", "commit"})
    if (const auto it = seconds.find(name); it != seconds.end() && it->second >= 5e-5)
      out += fmt::format("{}{} {}", out.empty() ? "" : " · ", name, duration(it->second));
  return out;
}

void print_verdict(Terminal& t, const repair::Outcome& o) {
  const auto total = o.seconds.find("total");
  const std::string time =
      total == o.seconds.end() ? "" : fmt::format(" in {}", duration(total->second));
  const std::string failed = wrap(failures(o.after), kColumns - 30, 2);
  switch (o.verdict) {
    case repair::Verdict::kPassed:
      t.line("{}{}: entry {} of the journal", t.paint(Tone::kGood, "Forgotten"), time, o.entry);
      break;
    case repair::Verdict::kPartial:
      t.line("{}{}: entry {}; {}", t.paint(Tone::kWarn, "Partly forgotten"), time, o.entry, failed);
      break;
    case repair::Verdict::kReverted:
      t.line("{}{}: {}", t.paint(Tone::kBad, "Nothing was changed"), time, failed);
      break;
  }
}

}  // namespace

void add_request_options(Arguments& cli, RequestOptions& o) {
  cli.add_flag("-y,--yes", [&o] { o.agreement = Agreement::kGiven; }, "edit without asking");
  cli.add_flag(
      "--keep-partial", [&o] { o.partial = Partial::kKeep; },
      "keep the best edit even if it fails a gate");
  cli.add_flag("--seal", o.seal, "keep only hashes, figures and factors in the journal");
  cli.add_flag("--details", o.details, "every question of the gates with its reply");
  cli.add_option("--seed", o.seed, "of the search (1)")->type_name("N");
  cli.add_option("--budget", o.budget_s, "seconds that the search may take (20)")
      ->type_name("S")
      ->range(0.1, 86400.0);
}

void add_plan_options(Arguments& cli, service::PlanOptions& o) {
  cli.add_option("--method", o.method, "how the edit is made; see 'expunge methods'")
      ->type_name("NAME");
  cli.add_option("--knob", o.knobs, "a setting of the method; may be repeated")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->take_all();
  cli.add_option("--rank", o.rank, "short for --knob rank=R (stamp: 0 = full)")->type_name("R");
  cli.add_option("--surgeon", o.surgeon, "an OpenAI-compatible endpoint that writes the plan")
      ->type_name("URL");
}

repair::ForgetOptions forget_options(Terminal& t, const RequestOptions& o) {
  repair::ForgetOptions options;
  options.seed = o.seed;
  options.budget_s = o.budget_s;
  options.decide = [&t, partial = o.partial](const verify::Report& best) {
    t.clear_progress();
    return decide(t, best, partial);
  };
  return options;
}

Result<bool> agrees(Terminal& t, const agent::Plan& plan, Agreement agreement) {
  if (agreement == Agreement::kGiven) return true;
  if (!t.interactive())
    return fail(Code::kUsage, "nothing is edited without a yes, and nobody can be asked here",
                "look at 'expunge plan' first, then add --yes");
  return t.confirm(proposal(plan) + "?");
}

void print_outcome(Terminal& t, const repair::Outcome& o, verify::Detail detail) {
  t.print(gate_table(t, &o.before, o.after));
  if (std::ranges::none_of(o.before.gates, [](const verify::GateResult& g) {
        return g.section == verify::Section::kForgotten && g.value < 1;
      }))
    t.line("{}", t.paint(Tone::kDim, "The model did not give this answer before either."));
  if (detail == verify::Detail::kItems) t.print(reply_list(t, o.after));
  print_verdict(t, o);
  if (const std::string line = recheck_line(t, o.earlier); !line.empty()) t.line("{}", line);
  if (o.active > service::kMeasuredEdits)
    t.line("{}", t.paint(Tone::kWarn,
                         wrap(fmt::format("{} edits are active. Beyond {} more than one in ten "
                                          "neighbours was lost when measured: undo what may be "
                                          "known again.",
                                          o.active, service::kMeasuredEdits),
                              kColumns, 0)));
  if (const std::string split = timings(o.seconds); !split.empty())
    t.line("{}", t.paint(Tone::kDim, wrap(split, kColumns, 0)));
}

Result<service::Carried> propose_and_forget(const agent::Plan& plan, const RequestOptions& o,
                                            service::Session& session, Context& context) {
  Terminal& t = context.terminal;
  t.line("{}", wrap(t.paint(Tone::kBold, proposal(plan)), kColumns, 2));
  service::Carried carried{plan, std::nullopt};
  if (!TRY(agrees(t, plan, o.agreement))) {
    t.line("Nothing was changed.");
    return carried;
  }
  carried.outcome = TRY(session.forget(plan, forget_options(t, o), seal_of(o), context.job));
  t.clear_progress();
  print_outcome(t, *carried.outcome, detail_of(o));
  return carried;
}

}  // namespace expunge::cli
