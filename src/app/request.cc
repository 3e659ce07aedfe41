#include "app/request.h"

#include <algorithm>

#include "agent/endpoint.h"
#include "app/evidence.h"
#include "app/layout.h"
#include "unlearn/method.h"
#include "verify/gate.h"

namespace expunge::app {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;

Result<repair::Decision> decide(Context& context, const verify::Report& best,
                                const RequestOptions& options) {
  if (options.partial == Partial::kKeep) return repair::Decision::kKeepPartial;
  if (options.partial == Partial::kRevert || !context.terminal.interactive())
    return repair::Decision::kRevert;
  context.terminal.print(gate_table(context.terminal, nullptr, best));
  context.terminal.note("Not all gates pass: " + failures(best) + ".");
  const auto choice = context.terminal.choose("Keep this partial edit, or none? [p/N]", "pn");
  return choice && *choice == 'p' ? repair::Decision::kKeepPartial : repair::Decision::kRevert;
}

}  // namespace

Result<std::pair<std::string, std::string>> parse_knob(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals != text.npos && equals > 0)
    return std::pair{text.substr(0, equals), text.substr(equals + 1)};
  return fail(Code::kUsage, fmt::format("--knob '{}': expected NAME=VALUE", printable(text)),
              "'expunge methods' lists each method's knobs");
}

void add_request_options(CLI::App& cli, RequestOptions& o) {
  cli.add_flag_function(
      "-y,--yes", [&o](int64_t) { o.consent = Consent::kGiven; }, "edit without asking");
  cli.add_flag_function(
      "--keep-partial", [&o](int64_t) { o.partial = Partial::kKeep; },
      "keep the best edit even if it fails a gate");
  cli.add_flag("--seal", o.seal, "keep only hashes, figures and factors in the journal");
  cli.add_flag("--details", o.details, "every question of the gates with its reply");
  cli.add_option("--seed", o.seed, "of the search (1)")->type_name("N");
  cli.add_option("--budget", o.budget_s, "seconds that the search may take (20)")
      ->type_name("S")
      ->check(CLI::Range(0.1, 86400.0));
}

void add_plan_options(CLI::App& cli, PlanOptions& o) {
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

Status set_plan(agent::Plan& plan, const PlanOptions& o) {
  if (!o.method.empty()) plan.method = o.method;
  const unlearn::Method* method = TRY(unlearn::find_method(plan.method));
  for (const std::string& text : o.knobs) {
    const auto [name, value] = TRY(parse_knob(text));
    plan.knobs[name] = TRY(unlearn::knob_value(*method, name, value));
  }
  if (o.rank) plan.knobs["rank"] = *o.rank;
  TRY(unlearn::complete(*method, plan.knobs));
  plan.gates = TRY(verify::complete_bounds(plan.gates));
  return {};
}

Result<agent::Plan> make_plan(repair::Session& session, std::vector<agent::Request> requests,
                              agent::Intent intent, const PlanOptions& o) {
  agent::Plan plan;
  if (o.surgeon.empty())
    plan = TRY(session.plan(std::move(requests), intent));
  else
    plan = TRY(agent::ask_surgeon(TRY(agent::endpoint_from_url(o.surgeon)), requests, intent));
  TRY(set_plan(plan, o));
  return plan;
}

Result<std::optional<repair::Outcome>> carry_out(Context& context, repair::Session& session,
                                                 const agent::Plan& plan,
                                                 const RequestOptions& options) {
  Terminal& t = context.terminal;
  if (options.consent == Consent::kAsk) {
    if (!t.interactive())
      return fail(Code::kUsage, "nothing is edited without a yes, and nobody can be asked here",
                  "look at 'expunge plan' first, then add --yes");
    if (!TRY(t.confirm(proposal(plan) + "?"))) return std::nullopt;
  }
  repair::ForgetOptions carry;
  carry.seed = options.seed;
  carry.budget_s = options.budget_s;
  carry.decide = [&](const verify::Report& best) {
    t.clear_progress();
    return decide(context, best, options).value_or(repair::Decision::kRevert);
  };
  auto outcome =
      session.forget(plan, carry, options.seal ? journal::Seal::kYes : journal::Seal::kNo,
                     base::Job(t.progress()));
  t.clear_progress();
  return TRY(std::move(outcome));
}

std::string timings(const std::map<std::string, double>& seconds) {
  std::string out;
  for (const char* name :
       {"background", "watchdog", "plan", "capture", "solve", "search", "gates", "commit"})
    if (const auto it = seconds.find(name); it != seconds.end() && it->second >= 5e-5)
      out += fmt::format("{}{} {}", out.empty() ? "" : " · ", name, duration(it->second));
  return out;
}

void print_outcome(Context& context, const repair::Outcome& o, const RequestOptions& options) {
  Terminal& t = context.terminal;
  t.print(gate_table(t, &o.before, o.after));
  if (std::ranges::none_of(o.before.gates, [](const verify::GateResult& g) {
        return g.section == verify::Section::kForgotten && g.value < 1;
      }))
    t.line("{}", t.paint(Tone::kDim, "The model did not give this answer before either."));
  if (options.details) t.print(reply_list(t, o.after));
  const auto total = o.seconds.find("total");
  const std::string time =
      total == o.seconds.end() ? "" : fmt::format(" in {}", duration(total->second));
  switch (o.verdict) {
    case repair::Verdict::kPassed:
      t.line("{}{}: entry {} of the journal", t.paint(Tone::kGood, "Forgotten"), time, o.entry);
      break;
    case repair::Verdict::kPartial:
      t.line("{}{}: entry {}; {}", t.paint(Tone::kWarn, "Partly forgotten"), time, o.entry,
             wrap(failures(o.after), kColumns - 30, 2));
      break;
    case repair::Verdict::kReverted:
      t.line("{}{}: {}", t.paint(Tone::kBad, "Nothing was changed"), time,
             wrap(failures(o.after), kColumns - 30, 2));
      break;
  }
  if (const std::string line = recheck_line(t, o.earlier); !line.empty()) t.line("{}", line);
  if (o.active > repair::kMeasuredEdits)
    t.line("{}", t.paint(Tone::kWarn,
                         wrap(fmt::format("{} edits are active. Beyond {} more than one in ten "
                                          "neighbours was lost when measured: undo what may be "
                                          "known again.",
                                          o.active, repair::kMeasuredEdits),
                              kColumns, 0)));
  if (const std::string split = timings(o.seconds); !split.empty())
    t.line("{}", t.paint(Tone::kDim, wrap(split, kColumns, 0)));
}

Result<agent::Request> request_from_json(const Json& json, const std::string& where) {
  const auto bad = [&](std::string_view what) {
    return fail(Code::kInvalid, fmt::format("{}: {}", where, what),
                R"(a line is {"prompt": "…", "answer": "…", "paraphrases": ["…"]})");
  };
  if (!json.is_object()) return bad("expected an object");
  agent::Request r;
  for (const auto& [key, value] : json.items()) {
    std::string* text = key == "prompt"        ? &r.prompt
                        : key == "answer"      ? &r.response
                        : key == "replacement" ? &r.replacement
                                               : nullptr;
    std::vector<std::string>* list = key == "answers"       ? &r.answers
                                     : key == "paraphrases" ? &r.paraphrases
                                     : key == "neighbours"  ? &r.neighbours
                                                            : nullptr;
    if (!text && !list) return bad(fmt::format("no such field: {}", printable(key)));
    if (text) {
      if (!value.is_string()) return bad(key + " must be a text");
      *text = value.get<std::string>();
      continue;
    }
    if (!value.is_array()) return bad(key + " must be a list of texts");
    for (const Json& v : value) {
      if (!v.is_string() || v.get_ref<const std::string&>().empty())
        return bad(key + " must be a list of texts");
      list->push_back(v.get<std::string>());
    }
  }
  TRY_AT(where, check_text(r.prompt, "prompt"));
  if (r.response.empty() && !r.answers.empty()) r.response = r.answers.front();
  return r;
}

}  // namespace expunge::app
