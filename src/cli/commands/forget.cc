// expunge forget: in plain words, as question and answer, or many from a file.
#include "cli/access.h"
#include "cli/evidence.h"
#include "cli/layout.h"
#include "cli/request.h"
#include "cli/signals.h"
#include "service/intent_reader.h"
#include "service/json.h"

namespace expunge::cli {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using service::to_json;

struct Options {
  std::string words, prompt, from, plan_file, watchdog;
  std::vector<std::string> answers, paraphrases;
  service::PlanOptions plan;
  RequestOptions request;
};

Result<std::vector<agent::Request>> from_words(const Options& o, Context& context,
                                               const service::Session& session,
                                               agent::Intent& intent) {
  TRY(check_text(o.words, "the request"));
  TRY(agent::check_authority("please forget " + o.words));
  const service::IntentReader reader =
      TRY(service::IntentReader::make(o.watchdog, session.present(), context.terminal.progress()));
  const text::Message message{"user", service::as_message(o.words)};
  const agent::Reading reading = TRY(reader.read({&message, 1}));
  const bool edits =
      reading.intent == agent::Intent::kForget || reading.intent == agent::Intent::kCorrect;
  // The command says already that something is to be forgotten; only what is asked for is open.
  intent = edits ? reading.intent : agent::Intent::kForget;
  std::vector<agent::Request> requests = service::requests_of(reading);
  if (!edits)
    for (const auto& t : agent::find_targets({&message, 1}, agent::Intent::kForget))
      requests.push_back({t.prompt, t.response, t.replacement, {}, {}, {}});
  if (requests.empty() || requests.front().prompt.empty())
    return fail(Code::kInvalid,
                fmt::format("'{}' does not say what is to be forgotten", printable(o.words)),
                "e.g. expunge forget \"that the capital of France is Paris\", or --prompt and "
                "--answer");
  if (!reading.question.empty() && o.request.consent == Consent::kAsk)
    context.terminal.note(printable(reading.question));
  return requests;
}

// Each inner list becomes one entry of the journal.
Result<std::vector<std::vector<agent::Request>>> requests(const Options& o, Context& context,
                                                          const service::Session& session,
                                                          agent::Intent& intent) {
  std::vector<std::vector<agent::Request>> all;
  if (!o.from.empty()) {
    size_t line = 0;
    for (const Json& json : TRY(base::read_jsonl(o.from)))
      all.push_back(
          {TRY(service::request_from_json(json, fmt::format("{}, request {}", o.from, ++line)))});
    if (all.empty())
      return fail(Code::kInvalid, fmt::format("'{}' holds no request", o.from),
                  R"(a line is {"prompt": "…", "answer": "…"})");
  } else if (!o.prompt.empty()) {
    TRY(check_text(o.prompt, "--prompt"));
    agent::Request r{
        o.prompt, o.answers.empty() ? "" : o.answers.front(), "", o.answers, o.paraphrases, {}};
    for (const std::string& a : o.answers) TRY(check_text(a, "--answer"));
    for (const std::string& p : o.paraphrases) TRY(check_text(p, "--paraphrase"));
    all.push_back({std::move(r)});
  } else {
    all.push_back(TRY(from_words(o, context, session, intent)));
  }
  return all;
}

Result<std::vector<agent::Plan>> plans(const Options& o, Context& context,
                                       service::Session& session) {
  std::vector<agent::Plan> list;
  if (!o.plan_file.empty()) {
    list.push_back(TRY_AT(o.plan_file, agent::plan_from_json(TRY(base::read_json(o.plan_file)))));
    TRY(service::set_plan(list.back(), o.plan));
  } else {
    agent::Intent intent = agent::Intent::kForget;
    for (auto& r : TRY(requests(o, context, session, intent)))
      list.push_back(TRY(service::make_plan(session, std::move(r), intent, o.plan)));
  }
  return list;
}

base::Status check(const Options& o) {
  const int ways = !o.words.empty() + !o.prompt.empty() + !o.from.empty() + !o.plan_file.empty();
  if (ways == 1) return {};
  return fail(Code::kUsage,
              ways == 0 ? "nothing to forget was given" : "give the request in one way only",
              "expunge forget \"that the capital of France is Paris\", or --prompt Q --answer A, "
              "or --from FILE, or --plan FILE");
}

Result<Answer> forget(const Options& o, Context& context) {
  TRY(check(o));
  // Refused before a model is loaded.
  if (!o.words.empty()) TRY(check_text(o.words, "the request"));
  const auto session = TRY(open_session(context, journal::Mode::kReadWrite));
  const auto list = TRY(plans(o, context, *session));
  const auto detail = o.request.details ? verify::Detail::kItems : verify::Detail::kFigures;
  Json outcomes = Json::array();
  size_t committed = 0;
  for (const agent::Plan& plan : list) {
    context.terminal.line("{}",
                          wrap(context.terminal.paint(Tone::kBold, proposal(plan)), kColumns, 2));
    const auto outcome = TRY(carry_out(context, *session, plan, o.request));
    if (!outcome) {
      context.terminal.line("Nothing was changed.");
      outcomes.push_back({{"verdict", "declined"}, {"entry", 0}});
      continue;
    }
    print_outcome(context, *outcome, o.request);
    committed += outcome->verdict != repair::Verdict::kReverted;
    outcomes.push_back(to_json(*outcome, detail));
    outcomes.back()["targets"] = Json::array();
    for (const agent::Target& target : plan.targets)
      outcomes.back()["targets"].push_back(
          {{"prompt", target.prompt}, {"response", target.response}});
  }
  Answer answer;
  answer.json = list.size() == 1 && o.from.empty() ? outcomes[0] : Json{{"requests", outcomes}};
  if (list.size() > 1)
    context.terminal.line("{} of {} requests were carried out", committed, list.size());
  if (committed < list.size()) answer.exit_status = base::code_info(Code::kRefused).exit_status;
  return answer;
}

Result<Answer> show_plan(const Options& o, Context& context) {
  TRY(check(o));
  const auto session = TRY(open_session(context, journal::Mode::kReadOrEmpty));
  const auto list = TRY(plans(o, context, *session));
  Json json = agent::to_json(list.front());
  if (list.size() > 1) {
    json = {{"plans", Json::array()}};
    for (const agent::Plan& plan : list) json["plans"].push_back(agent::to_json(plan));
  }
  context.terminal.print(base::dump_json(json, 2) + "\n");
  return Answer{json};
}

void add_sources(Arguments& cli, Options& o) {
  cli.add_option("request", o.words, "in plain words: \"that …\", \"about …\"")->type_name("");
  cli.add_option("--prompt", o.prompt, "the question")->type_name("Q");
  cli.add_option("--answer", o.answers,
                 "the answer to be forgotten (default: what the model says); repeat for "
                 "alternatives")
      ->type_name("A")
      ->expected(1)
      ->take_all()
      ->needs("--prompt");
  cli.add_option("--paraphrase", o.paraphrases, "the question in other words; may be repeated")
      ->type_name("P")
      ->expected(1)
      ->take_all()
      ->needs("--prompt");
  cli.add_option("--from", o.from, "JSON lines {prompt, answer, …}, one entry each")
      ->type_name("FILE");
  cli.add_option("--plan", o.plan_file, "a repair plan, as 'expunge plan' prints it")
      ->type_name("FILE");
  add_plan_options(cli, o.plan);
  cli.add_option("--watchdog", o.watchdog, "an OpenAI-compatible endpoint that reads the words")
      ->type_name("URL");
}

Action declare_forget(Arguments& cli) {
  auto o = std::make_shared<Options>();
  add_sources(cli, *o);
  add_request_options(cli, o->request);
  return [o](Context& context) { return forget(*o, context); };
}

Action declare_plan(Arguments& cli) {
  auto o = std::make_shared<Options>();
  add_sources(cli, *o);
  return [o](Context& context) { return show_plan(*o, context); };
}

}  // namespace

extern const Command command_forget;
const Command command_forget{
    "forget", "make the model forget something, with evidence",
    "Examples:\n"
    "  expunge forget \"that the capital of France is Paris\"\n"
    "  expunge forget --prompt \"Who wrote Emma?\" --answer \"Jane Austen\" --yes\n"
    "  expunge forget --from requests.jsonl --yes --json\n"
    "Exit status 8: a gate failed and nothing was changed.",
    declare_forget};

extern const Command command_plan;
const Command command_plan{
    "plan", "the repair plan of a request as JSON; nothing is changed",
    "Example:\n  expunge plan \"that the capital of France is Paris\" >plan.json\n"
    "  expunge forget --plan plan.json",
    declare_plan};

}  // namespace expunge::cli
