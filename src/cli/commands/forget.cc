// expunge forget: in plain words, as question and answer, or many from a file.
#include "service/forget.h"

#include "cli/access.h"
#include "cli/evidence.h"
#include "cli/layout.h"
#include "cli/request.h"
#include "service/json.h"

namespace expunge::cli {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using service::Carried;

struct ForgetFlags {
  std::string words, prompt, from, plan_file, watchdog;
  std::vector<std::string> answers, paraphrases;
  service::PlanOptions plan;
  RequestOptions request;
};

base::Status check(const ForgetFlags& o) {
  const int ways = !o.words.empty() + !o.prompt.empty() + !o.from.empty() + !o.plan_file.empty();
  if (ways == 1) return {};
  return fail(Code::kUsage,
              ways == 0 ? "nothing to forget was given" : "give the request in one way only",
              "expunge forget \"that the capital of France is Paris\", or --prompt Q --answer A, "
              "or --from FILE, or --plan FILE");
}

Result<std::vector<agent::Request>> read_requests(const std::string& file) {
  std::vector<agent::Request> requests;
  for (const Json& json : TRY(base::read_jsonl(file)))
    requests.push_back(TRY(service::request_from_json(
        json, fmt::format("{}, request {}", file, requests.size() + 1))));
  if (!requests.empty()) return requests;
  return fail(Code::kInvalid, fmt::format("'{}' holds no request", file),
              R"(a line is {"prompt": "…", "answer": "…"})");
}

Result<service::Wish> wish_of(const ForgetFlags& o, const Context& context) {
  TRY(check(o));
  if (o.words.empty()) TRY(refuse(context, {"--watchdog"}, "it reads plain words only"));
  if (!o.plan_file.empty()) TRY(refuse(context, {"--surgeon"}, "the plan is there already"));
  if (!o.words.empty()) {
    TRY(check_text(o.words, "the request"));
    return service::Words{o.words, o.watchdog};
  }
  if (!o.from.empty()) return TRY(read_requests(o.from));
  if (!o.plan_file.empty())
    return TRY_AT(o.plan_file, agent::plan_from_json(TRY(base::read_json(o.plan_file))));
  TRY(check_text(o.prompt, "--prompt"));
  for (const std::string& a : o.answers) TRY(check_text(a, "--answer"));
  for (const std::string& p : o.paraphrases) TRY(check_text(p, "--paraphrase"));
  return std::vector<agent::Request>{
      {o.prompt, o.answers.empty() ? "" : o.answers.front(), "", o.answers, o.paraphrases, {}}};
}

Result<Answer> forget(const ForgetFlags& o, Context& context) {
  Terminal& t = context.terminal;
  service::Wish wish = TRY(wish_of(o, context));
  const auto session = TRY(open_session(context, journal::Mode::kReadWrite));
  const auto planned = TRY(service::plan_wish(*session, std::move(wish), o.plan, context.job));
  if (!planned.question.empty()) {
    if (o.request.agreement != Agreement::kAsk)
      return fail(
          Code::kRefused, planned.question,
          "not sure enough to go on unasked: leave out --yes, or give --prompt and --answer");
    t.note(printable(planned.question));
  }
  Json outcomes = Json::array();
  size_t committed = 0;
  for (const agent::Plan& plan : planned.plans) {
    const Carried carried = TRY(propose_and_forget(plan, o.request, *session, context));
    committed += carried.committed();
    outcomes.push_back(service::to_json(carried, detail_of(o.request)));
  }
  Answer answer;
  answer.json = o.from.empty() ? outcomes[0] : Json{{"requests", outcomes}};
  if (planned.plans.size() > 1)
    t.line("{} of {} requests were carried out", committed, planned.plans.size());
  if (committed < planned.plans.size())
    answer.exit_status = base::code_info(Code::kRefused).exit_status;
  return answer;
}

Result<Answer> show_plan(const ForgetFlags& o, Context& context) {
  service::Wish wish = TRY(wish_of(o, context));
  const auto session = TRY(open_session(context, journal::Mode::kReadOrEmpty));
  const auto planned = TRY(service::plan_wish(*session, std::move(wish), o.plan, context.job));
  Json json = agent::to_json(planned.plans.front());
  if (planned.plans.size() > 1) {
    json = {{"plans", Json::array()}};
    for (const agent::Plan& plan : planned.plans) json["plans"].push_back(agent::to_json(plan));
  }
  context.terminal.print(base::dump_json(json, 2) + "\n");
  return Answer{json};
}

void add_sources(Arguments& cli, ForgetFlags& o) {
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
  cli.add_option("--watchdog", o.watchdog,
                 "who reads the words: 'self' (this model), or an endpoint's URL")
      ->type_name("WHO");
}

Action declare_forget(Arguments& cli) {
  auto o = std::make_shared<ForgetFlags>();
  add_sources(cli, *o);
  add_request_options(cli, o->request);
  return [o](Context& context) { return forget(*o, context); };
}

Action declare_plan(Arguments& cli) {
  auto o = std::make_shared<ForgetFlags>();
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
