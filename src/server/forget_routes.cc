#include "server/forget_routes.h"

#include <fstream>

#include "base/files.h"
#include "base/version.h"
#include "server/fields.h"
#include "server/openai.h"
#include "service/export.h"
#include "service/json.h"
#include "service/verify.h"
#include "unlearn/method.h"
#include "verify/gate.h"

namespace expunge::server {

using base::Code;
using base::Json;
using base::Result;
using service::CarriedOut;

Json proposal_json(const std::string& id, const service::Proposal& proposal) {
  Json json = {{"id", id},
               {"intent", agent::name(proposal.intent)},
               {"message", proposal.message},
               {"sure", proposal.sure},
               {"plan", nullptr},
               {"entry", nullptr}};
  if (const auto* plan = std::get_if<agent::Plan>(&proposal.what))
    json["plan"] = agent::to_json(*plan);
  else if (const auto* entry = std::get_if<service::EntryTitle>(&proposal.what))
    json["entry"] = {{"entry", entry->entry}, {"title", entry->title}};
  return json;
}

Json to_json(const CarriedOut& done) {
  if (const auto* undone = std::get_if<service::Undone>(&done)) return service::to_json(*undone);
  return service::to_json(std::get<repair::Outcome>(done), verify::Detail::kItems);
}

Result<CarriedOut> carry(App& app, const service::Proposal& proposal, journal::Seal seal,
                         const base::Job& job) {
  CarriedOut done =
      TRY(service::carry_out(app.session(), proposal, app.options().forget, seal, job));
  if (const auto* outcome = std::get_if<repair::Outcome>(&done))
    ++(outcome->verdict == repair::Verdict::kReverted ? app.metrics().reverted
                                                      : app.metrics().forgotten);
  else
    ++app.metrics().undone;
  app.announce();
  return done;
}

namespace {

// An event stream with the progress of a job, or one body at its end.
class Progress {
 public:
  explicit Progress(const Call& call)
      : call_(call),
        streams_(call.request.header("accept").find("text/event-stream") != std::string::npos) {
    if (streams_) call_.exchange->begin_stream();
  }
  base::Job job() const {
    if (!streams_) return call_.exchange->job;
    // Ten a second, and each stage's first.
    return call_.exchange->job.reporting(
        [exchange = call_.exchange, last = Clock::time_point(), stage = std::string()](
            std::string_view what, size_t done, size_t total) mutable {
          const auto now = Clock::now();
          if (what == stage && now - last < std::chrono::milliseconds(100)) return;
          last = now, stage = what;
          exchange->write(event("progress", {{"stage", what}, {"done", done}, {"total", total}}));
        });
  }
  void end(App& app, const Result<Json>& result) const {
    if (!streams_) return respond(app, call_, result);
    if (result) {
      call_.exchange->write(event("outcome", *result));
    } else {
      const int status = base::code_info(result.error().code).http_status;
      call_.exchange->write(event("error", error_json(result.error(), status)));
    }
    call_.exchange->end();
  }

 private:
  using Clock = std::chrono::steady_clock;
  const Call& call_;
  const bool streams_;
};

Result<int64_t> entry_id(const Call& call) {
  const std::string& text = call.parameters.at(0);
  if (text.empty() || text.size() > 9 || text.find_first_not_of("0123456789") != text.npos)
    return base::fail(Code::kNotFound, fmt::format("there is no entry '{}'", text));
  return std::stoll(text);
}

Result<service::PlanOptions> plan_options(const App& app, const Json& body) {
  service::PlanOptions options = app.options().plan;
  options.method = TRY(string_field(body, "method", options.method));
  if (const Json* knobs = given(body, "knobs")) {
    if (!knobs->is_object()) return wrong("knobs", *knobs, "an object");
    for (const auto& [name, value] : knobs->items()) {
      if (!value.is_number()) return wrong("knobs." + name, value, "a number");
      options.knobs.push_back(fmt::format("{}={}", name, value.get<double>()));
    }
  }
  return options;
}

Result<service::Wish> wish_of(const App& app, const Json& body) {
  if (given(body, "words"))
    return service::Words{TRY(string_field(body, "words", "")), app.options().watchdog};
  const Json* targets = given(body, "targets");
  if (!targets || !targets->is_array() || targets->empty())
    return base::fail(Code::kInvalid, "'words' or 'targets' is missing",
                      R"({"words": "that the capital of France is Paris"})");
  std::vector<agent::Request> requests;
  for (const Json& target : *targets) {
    if (!target.is_object()) return wrong("targets", target, "objects");
    agent::Request request;
    request.prompt = TRY(string_field(target, "prompt", ""));
    request.response = TRY(string_field(target, "response", ""));
    request.replacement = TRY(string_field(target, "replacement", ""));
    if (request.prompt.empty()) return wrong("targets", target, "a prompt in each");
    requests.push_back(std::move(request));
  }
  return requests;
}

Result<Json> planned(App& app, const Call& call) {
  const service::PlanOptions options = TRY(plan_options(app, call.body));
  auto wish = TRY(wish_of(app, call.body));
  const std::string words = TRY(string_field(call.body, "words", ""));
  auto plans = TRY(service::plan_wish(app.session(), std::move(wish), options, call.exchange->job));
  Json list = Json::array();
  for (agent::Plan& plan : plans.plans) {
    service::Proposal proposal{.message = words, .intent = plan.intent};
    proposal.sure = plans.question.empty() && agent::has_evidence(plan);
    proposal.what = std::move(plan);
    const std::string id = app.proposals().add(proposal);
    list.push_back(proposal_json(id, proposal));
  }
  return Json{{"proposals", std::move(list)}, {"question", plans.question}};
}

Result<service::Proposal> wanted(App& app, const Json& body) {
  if (const Json* json = given(body, "plan")) {
    agent::Plan plan = TRY(agent::plan_from_json(*json));
    TRY(service::set_plan(plan, {}));
    service::Proposal proposal{.intent = plan.intent};
    proposal.what = std::move(plan);
    return proposal;
  }
  const std::string id = TRY(string_field(body, "proposal", ""));
  if (id.empty())
    return base::fail(Code::kInvalid, "'proposal' or 'plan' is missing",
                      "POST /v1/expunge/plans makes proposals");
  auto proposal = app.proposals().take(id);
  if (!proposal)
    return base::fail(Code::kNotFound, fmt::format("proposal '{}' is not open", id),
                      "it was answered, or is older than an hour: make it again");
  return *proposal;
}

Result<Json> carried(App& app, const Json& body, const base::Job& job) {
  const bool seals = TRY(bool_field(body, "seal", false));
  const service::Proposal proposal = TRY(wanted(app, body));
  return to_json(TRY(carry(app, proposal, seals ? journal::Seal::kYes : journal::Seal::kNo, job)));
}

Json entry_json(const service::LoggedEntry& e) {
  return {{"entry", e.entry.id},
          {"title", service::title(e.entry)},
          {"state", service::state_of(e)},
          {"active", e.active},
          {"kind", journal::name(e.entry.kind)},
          {"method", e.entry.method},
          {"verdict", e.entry.verdict},
          {"sealed", e.entry.sealed},
          {"undone_by", e.undone_by == 0 ? Json() : Json(e.undone_by)},
          {"time", e.entry.time}};
}

// The process's resident memory, of which what is mapped of the model's file is a part.
size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * 4096;
}

}  // namespace

void make_plans(App& app, Call call) { respond(app, call, planned(app, call)); }

void carry_request(App& app, Call call) {
  const Progress progress(call);
  progress.end(app, carried(app, call.body, progress.job()));
}

void decline_proposal(App& app, Call call) {
  const std::string& id = call.parameters.at(0);
  if (!app.proposals().take(id))
    return fail(app, call, {Code::kNotFound, fmt::format("proposal '{}' is not open", id), "", {}});
  respond(app, call, Json{{"declined", id}});
}

void list_entries(App& app, Call call) {
  const auto log =
      app.session().with_journal([](const journal::Journal& j) { return service::read_log(j); });
  if (!log) return fail(app, call, log.error());
  Json entries = Json::array();
  for (const service::LoggedEntry& e : log->entries) entries.push_back(entry_json(e));
  respond(app, call, Json{{"entries", std::move(entries)}, {"active", log->active}});
}

void show_entry(App& app, Call call) {
  const auto shown = [&]() -> Result<Json> {
    const int64_t id = TRY(entry_id(call));
    const auto e = TRY(app.session().with_journal(
        [&](const journal::Journal& j) { return service::read_entry(j, id); }));
    return Json{{"entry", entry_json(e.entry)},
                {"plan", e.entry.entry.plan},
                {"before", verify::to_json(e.before, verify::Detail::kItems)},
                {"after", verify::to_json(e.after, verify::Detail::kItems)}};
  };
  respond(app, call, shown());
}

void undo_entry(App& app, Call call) {
  const auto undone = [&]() -> Result<Json> {
    service::Proposal proposal{.intent = agent::Intent::kUndo};
    proposal.what = service::EntryTitle{TRY(entry_id(call)), ""};
    return to_json(TRY(carry(app, proposal, journal::Seal::kNo, call.exchange->job)));
  };
  respond(app, call, undone());
}

void seal_entry(App& app, Call call) {
  const auto sealed = [&]() -> Result<Json> {
    const int64_t id = TRY(entry_id(call));
    TRY(app.session().with_journal([&](journal::Journal& j) { return j.seal(id); }));
    app.announce();
    return Json{{"sealed", id}};
  };
  respond(app, call, sealed());
}

void verify_entry(App& app, Call call) {
  const auto verified = [&]() -> Result<Json> {
    const int64_t id = TRY(entry_id(call));
    const auto entries = TRY(app.session().verify(id, nullptr, call.exchange->job));
    Json json = verify::to_json(entries.at(0).now, verify::Detail::kItems);
    json["entry"] = id;
    return json;
  };
  respond(app, call, verified());
}

void export_model(App& app, Call call) {
  const Progress progress(call);
  const auto exported = [&]() -> Result<Json> {
    publish::ExportOptions options;
    options.format = TRY(publish::format_from_name(TRY(string_field(call.body, "format", "gguf"))));
    const std::string type = TRY(string_field(call.body, "quant", ""));
    if (!type.empty() && !(options.dtype = tensor::dtype_from_name(type)))
      return base::fail(Code::kInvalid, fmt::format("no weight type is called '{}'", type),
                        "e.g. Q8_0, Q4_1, F16, F32");
    const std::string name = TRY(string_field(call.body, "out", app.model_id() + "-edited.gguf"));
    const bool is_plain = !name.empty() && name.size() <= 100 && name[0] != '.' &&
                          name.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW"
                              "XYZ0123456789._-") == name.npos;
    if (!is_plain)
      return base::fail(Code::kInvalid, fmt::format("'{}' is not a plain file name", name),
                        "letters, digits, dots, hyphens and underscores");
    const std::string folder = TRY(base::data_dir()) + "/exports";
    TRY(base::make_dirs(folder));
    options.path = folder + "/" + name;
    const auto result = TRY(service::export_model(app.session(), options, progress.job()));
    return service::to_json(result);
  };
  progress.end(app, exported());
}

void listen_to_events(App& app, Call call) { app.listen(call.exchange); }

void show_model(App& app, Call call) {
  const auto now = app.session().snapshot();
  const model::Arch& arch = now->base.model.arch();
  respond(app, call,
          Json{{"name", app.model_id()},
               {"path", now->base.path},
               {"weights_hash", now->present.model.weights_hash()},
               {"memory_bytes", resident_bytes()},
               {"parameters", now->base.model.weight_bytes() / sizeof(float)},
               {"context", arch.context_length},
               {"architecture", arch.family},
               {"active", now->edits.size()},
               {"version", base::kVersion},
               {"notes", now->base.notes}});
}

void show_methods(App& app, Call call) {
  Json list = Json::array();
  for (const unlearn::Method* m : unlearn::methods()) {
    if (m->objective()) continue;  // those that are trained are not for a request
    Json knobs = Json::array();
    for (const unlearn::Knob& k : m->knobs) {
      knobs.push_back({{"name", k.name},
                       {"default", k.fallback},
                       {"min", k.low},
                       {"max", k.high},
                       {"help", k.help}});
      if (!k.choices.empty()) knobs.back()["choices"] = k.choices;
    }
    list.push_back({{"name", m->name}, {"citation", m->citation}, {"knobs", std::move(knobs)}});
  }
  Json gates = Json::array();
  for (const verify::Gate* g : verify::gates())
    gates.push_back({{"name", g->name},
                     {"label", g->label},
                     {"default", g->bound},
                     {"min", g->low},
                     {"max", g->high},
                     {"help", g->what}});
  respond(app, call, Json{{"methods", std::move(list)}, {"gates", std::move(gates)}});
}

void show_health(App& app, Call call) { respond(app, call, Json{{"status", "ok"}}); }

void show_metrics(App& app, Call call) {
  std::string text;
  const auto metric = [&](std::string_view name, std::string_view type, std::string_view help,
                          uint64_t value) {
    text += fmt::format("# HELP expunge_{0} {1}\n# TYPE expunge_{0} {2}\nexpunge_{0} {3}\n", name,
                        help, type, value);
  };
  const Metrics& m = app.metrics();
  const auto& t = app.decoder().totals();
  metric("http_requests_total", "counter", "requests", m.requests);
  metric("http_client_errors_total", "counter", "answers 400 to 499", m.errors_4xx);
  metric("http_server_errors_total", "counter", "answers 500 to 599", m.errors_5xx);
  metric("http_busy_total", "counter", "answers 429", m.refused_busy);
  metric("generations_total", "counter", "replies begun", t.requests);
  metric("prompt_tokens_total", "counter", "tokens of prompts", t.prompt_tokens);
  metric("prompt_tokens_reused_total", "counter", "of them, not computed again", t.reused_tokens);
  metric("written_tokens_total", "counter", "tokens of replies", t.written_tokens);
  metric("generations_open", "gauge", "replies that run or wait", app.decoder().n_open());
  metric("forgotten_total", "counter", "requests that were carried out", m.forgotten);
  metric("reverted_total", "counter", "requests whose edit did not hold", m.reverted);
  metric("undone_total", "counter", "edits taken back", m.undone);
  metric("edits_active", "gauge", "edits in effect", app.session().snapshot()->edits.size());
  metric("resident_memory_bytes", "gauge", "memory of the process", resident_bytes());
  call.exchange->send({.body = text, .content_type = "text/plain; version=0.0.4"});
}

}  // namespace expunge::server
