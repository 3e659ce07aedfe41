#include "cli/commands/guard_eval.h"

#include "base/files.h"
#include "cli/access.h"
#include "cli/layout.h"
#include "cli/signals.h"
#include "server/app.h"
#include "server/guard_eval.h"
#include "server/upstream.h"

namespace expunge::cli {
namespace {

using base::Json;
using base::Result;

struct EvalFlags {
  std::string out, data = "data/guard", upstream;
  server::GuardEvalOptions scripted;
  server::GuardModelOptions model;
  int tries = 5000, n_clear = 2000, n_targets = 20, n_people = 20;
  int64_t seed = 1;
};

void print_summary(Terminal& t, const Json& json) {
  if (json.contains("scripted")) {
    const Json& s = json["scripted"];
    const Json &d = s["leaks"]["disguises"], &a = s["leaks"]["attacks"], &c = s["clear"];
    t.line("{} of {} tries leaked in the disguises that are promised.",
           d["leaks"].get<size_t>() + a["leaks"].get<size_t>(),
           d["tries"].get<size_t>() + a["tries"].get<size_t>());
    t.line("{} of {} clear queries were refused, {} as replies, {} as streams.",
           c["refused_as_question"].get<size_t>(), c["texts"].get<size_t>(),
           c["refused_as_reply"].get<size_t>(), c["refused_as_stream"].get<size_t>());
    for (const Json& row : s["scale"])
      t.line("{:>6} targets: {:.2f} ms more for a clear query, {:.0f} tokens of agents for others",
             row["targets"].get<size_t>(), row["whole_ms"]["added"].get<double>(),
             row["agents_tokens_of_a_touched_query"].get<double>());
  }
  for (const Json& m : json["models"])
    for (const Json& arm : m["arms"]) {
      size_t asked = 0, facts = 0;
      for (const Json& kind : arm["by_kind"])
        asked += kind["asked"].get<size_t>(), facts += kind["facts"].get<size_t>();
      t.line("{}, {}: {} of {} replies have a fact", printable(m["model"].get<std::string>()),
             arm["name"].get<std::string>(), facts, asked);
    }
}

// This program's model, or another server's, as a handler; what it needs lives as long.
struct Asked {
  std::unique_ptr<server::Upstream> upstream = nullptr;
  std::unique_ptr<service::Session> session = nullptr;
  std::unique_ptr<const service::IntentReader> reader = nullptr;
  std::unique_ptr<server::App> app = nullptr;
  server::Handler handler = {};
};
Result<Asked> asked(const EvalFlags& o, const service::Scratch& scratch, Context& context) {
  Asked a;
  if (!o.upstream.empty()) {
    const char* key = std::getenv("EXPUNGE_UPSTREAM_KEY");
    a.upstream =
        TRY(server::Upstream::make({.url = o.upstream, .key = key ? key : "", .timeout_s = 300}));
    a.handler = [up = a.upstream.get()](auto request, auto exchange) {
      up->handle(std::move(request), std::move(exchange));
    };
    return a;
  }
  a.session = TRY(service::open_session(place_of(context, scratch), journal::Mode::kReadWrite));
  a.reader = std::make_unique<const service::IntentReader>(
      TRY(service::IntentReader::make("", *a.session)));
  a.app = std::make_unique<server::App>(*a.session, *a.reader,
                                        TRY(service::Keys::open(scratch.file("no-keys.json"))),
                                        server::AppOptions());
  a.handler = [app = a.app.get()](server::HttpRequest request, auto exchange) {
    Json body = Json::parse(request.body);
    body["model"] = app->model_id();
    body["expunge"] = {{"read", false}};  // "forget …" is a question here
    request.body = base::dump_json(body);
    app->handle(std::move(request), std::move(exchange), service::Scope::kChat);
  };
  return a;
}

Result<Answer> evaluate(EvalFlags o, Context& context) {
  const server::GuardData data = TRY(server::read_guard_data(o.data));
  TRY(base::make_dirs(o.out));
  const service::Scratch scratch = TRY(service::Scratch::make(remove_on_signal));
  Json json = {{"models", Json::array()}};
  const auto n = [](int value) { return static_cast<size_t>(value); };
  if (!o.upstream.empty() || context.globals.given("--model")) {
    TRY(refuse(context, {"--tries", "--clear", "--seed"}, "a real model is asked"));
    o.model.scratch = scratch.file("");
    o.model.n_targets = n(o.n_targets), o.model.n_people = n(o.n_people);
    const Asked model = TRY(asked(o, scratch, context));
    if (model.app) o.model.model = model.app->model_id();
    json["models"].push_back(
        TRY(server::guard_eval_model(data, model.handler, o.model, context.job)));
  } else {
    TRY(refuse(context, {"--model-name", "--people", "--targets"},
               "there is neither --upstream nor -m"));
    o.scripted.scratch = scratch.file("");
    o.scripted.tries = n(o.tries), o.scripted.n_clear = n(o.n_clear);
    o.scripted.seed = static_cast<uint64_t>(o.seed);
    json["scripted"] = TRY(server::guard_eval(data, o.scripted, context.job));
  }
  Terminal& t = context.terminal;
  t.clear_progress();
  TRY(base::write_file_atomic(o.out + "/guard.json", base::dump_json(json, 1) + "\n"));
  TRY(base::write_file_atomic(o.out + "/guard.md", server::guard_tables(json)));
  print_summary(t, json);
  t.note(fmt::format("Tables: {}/guard.md", printable(o.out)));
  return Answer{std::move(json)};
}

}  // namespace

Action add_guard_eval(Arguments& cli, bool& chosen) {
  auto o = std::make_shared<EvalFlags>();
  Arguments* eval =
      cli.add_subcommand("eval", chosen, "measure what the guard keeps back, refuses and costs");
  eval->add_option("--out", o->out, "folder for guard.json and guard.md")
      ->type_name("DIR")
      ->required();
  eval->add_option("--data", o->data, "people, names, attacks, clear texts (data/guard)")
      ->type_name("DIR");
  eval->add_option("--tries", o->tries, "of a scripted model to name somebody (5000)")
      ->type_name("N")
      ->range(100, 1000000);
  eval->add_option("--clear", o->n_clear, "texts that must pass (2000)")
      ->type_name("N")
      ->range(1, 1000000);
  eval->add_option("--seed", o->seed, "of disguises and cuts (1)")->type_name("N");
  eval->add_option("--upstream", o->upstream,
                   "ask this server's model about well-known people instead (as -m does); its "
                   "key: $EXPUNGE_UPSTREAM_KEY")
      ->type_name("URL");
  eval->add_option("--model-name", o->model.model, "its name there (default)")->type_name("NAME");
  eval->add_option("--targets", o->n_targets, "names on its list (20)")
      ->type_name("N")
      ->range(20, 1000);
  eval->add_option("--people", o->n_people, "to ask about (20)")->type_name("N")->range(1, 20);
  return [o](Context& context) { return evaluate(*o, context); };
}

}  // namespace expunge::cli
