// expunge serve: the model, the requests to forget and the page over HTTP.
#include <thread>

#include "cli/access.h"
#include "cli/layout.h"
#include "server/guard_setup.h"

namespace expunge::cli {
namespace {

using base::Code;
using base::fail;
using base::Result;

struct ServeFlags {
  std::string host = "127.0.0.1", watchdog;
  int port = 8080;
  std::vector<std::string> hosts;
  service::PlanOptions plan;
  server::GuardSetup guard;
};

constexpr double kGrace_s = 20;  // in which streams may end

// Takes Ctrl+C to the server while it runs: the first lets streams end, the second does not.
class Stopper {
 public:
  Stopper(const base::Job& job, server::HttpServer& server, server::App* app)
      : thread_([this, job, &server, app] {
          bool told = false;
          while (!ended_) {
            if (!told && job.cancelled()) {
              if (app) app->end_events();
              server.stop(kGrace_s);
              told = true;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
          }
        }) {}
  ~Stopper() {
    ended_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

// A line for the operator, from any thread.
void say(const std::string& text) { fmt::print(stderr, "{}\n", printable(text)); }

Result<bool> is_guarded(const ServeFlags& o) {
  if (!o.guard.upstream.empty() || !o.guard.targets.empty()) return true;
  const std::string store = TRY(base::data_dir()) + "/guard.db";
  if (!std::filesystem::exists(store)) return false;
  return !TRY(TRY(guard::Store::open(store)).list()).empty();
}

// The model of this program, if there shall be one.
struct Local {
  std::unique_ptr<service::Session> session;
  std::unique_ptr<const service::IntentReader> reader;
  std::unique_ptr<server::App> app;
};
Result<Local> open_local(const ServeFlags& o, bool is_loopback, Context& context) {
  Local local;
  if (!o.guard.upstream.empty() && !context.globals.given("--model")) return local;
  local.session = TRY(open_session(context, journal::Mode::kReadWrite));
  local.reader = std::make_unique<const service::IntentReader>(
      TRY(service::IntentReader::make(o.watchdog, *local.session)));
  local.app = std::make_unique<server::App>(
      *local.session, *local.reader, TRY(service::Keys::open()),
      server::AppOptions{
          .is_loopback = is_loopback, .hosts = o.hosts, .watchdog = o.watchdog, .plan = o.plan});
  return local;
}

void announce(const ServeFlags& o, const std::string& url, const Local& local, bool guards,
              size_t n_targets, Terminal& t) {
  t.clear_progress();
  const std::string what = o.guard.upstream.empty() ? local.app->model_id() : o.guard.upstream;
  t.line("{} {} {}", t.paint(Tone::kGood, url), guards ? "guards" : "serves", printable(what));
  if (guards)
    t.line("{}", t.paint(Tone::kDim, fmt::format("{} target{} kept out of what it says; 'expunge "
                                                 "guard add' takes more.",
                                                 n_targets, n_targets == 1 ? " is" : "s are")));
  t.line("{}",
         t.paint(Tone::kDim, (o.guard.upstream.empty() ? "The page is there; clients" : "Clients") +
                                 (" of OpenAI's API take " + url + "/v1. Ctrl+C ends it.")));
}

Result<Answer> serve(ServeFlags o, Context& context) {
  const bool is_loopback = server::is_loopback(o.host);
  if (!is_loopback && TRY(service::Keys::open()).empty())
    return fail(Code::kRefused,
                fmt::format("'{}' is more than this machine, and no key exists", o.host),
                "make one with 'expunge key create --scope admin', or listen on 127.0.0.1");
  if (o.guard.upstream.empty())
    TRY(refuse(context, {"--upstream-timeout"}, "there is no --upstream"));
  server::Handler handler;  // the transport calls it once it runs
  // The port is taken first: whoever connects meanwhile waits.
  const auto http = TRY(server::HttpServer::listen(
      o.host, static_cast<uint16_t>(o.port), {},
      [&handler](server::HttpRequest request, std::shared_ptr<server::Exchange> exchange) {
        handler(std::move(request), std::move(exchange));
      },
      [](int status, const std::string& message) { return server::refusal(status, message); }));
  const bool guards = TRY(is_guarded(o));
  Local local = TRY(open_local(o, is_loopback, context));
  std::unique_ptr<server::GuardedServer> guarded;
  if (guards) {
    o.guard.is_loopback = is_loopback, o.guard.hosts = o.hosts;
    guarded = TRY(server::GuardedServer::make(o.guard, local.app.get(), say));
    handler = [g = guarded.get()](auto request, auto exchange) {
      g->handle(std::move(request), std::move(exchange));
    };
  } else {
    handler = [app = local.app.get()](auto request, auto exchange) {
      app->handle(std::move(request), std::move(exchange));
    };
  }
  const std::string shown = o.host.find(':') == o.host.npos ? o.host : "[" + o.host + "]";
  const std::string url = fmt::format("http://{}:{}", shown, http->port());
  Terminal& t = context.terminal;
  announce(o, url, local, guards, guards ? guarded->n_targets() : 0, t);
  TRY(t.finish());
  {
    const Stopper stopper(context.job, *http, local.app.get());
    http->run();
  }
  guarded.reset();
  local.app.reset();
  t.note("Ended.");
  return Answer{{{"url", url}}};
}

Action declare_serve(Arguments& cli) {
  auto o = std::make_shared<ServeFlags>();
  cli.add_option("--host", o->host, "address to listen on (127.0.0.1)")->type_name("ADDRESS");
  cli.add_option("--port", o->port, "0 takes a free one (8080)")->type_name("N")->range(0, 65535);
  cli.add_option("--allow-host", o->hosts,
                 "a name in requests' Host besides localhost; may be "
                 "repeated")
      ->type_name("NAME")
      ->expected(1)
      ->take_all();
  cli.add_option("--watchdog", o->watchdog,
                 "who reads messages: self, or the URL of an endpoint (built in)")
      ->type_name("W");
  cli.add_option("--method", o->plan.method, "of edits (redirect)")->type_name("NAME");
  cli.add_option("--knob", o->plan.knobs, "a setting of the method, NAME=VALUE; may be repeated")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->take_all();
  cli.add_option("--upstream", o->guard.upstream,
                 "guard this server of OpenAI's API; its key: $EXPUNGE_UPSTREAM_KEY")
      ->type_name("URL");
  cli.add_option("--targets", o->guard.targets,
                 "names to keep out of what is said, a JSON line each, besides 'guard add'")
      ->type_name("FILE");
  cli.add_option("--agents", o->guard.agents,
                 "who cleans drafts ($EXPUNGE_API_KEY); default: the model, else the upstream")
      ->type_name("URL");
  cli.add_option("--agents-model", o->guard.model, "its name there (default)")->type_name("NAME");
  cli.add_option("--upstream-timeout", o->guard.timeout_s, "seconds without a byte (120)")
      ->type_name("S")
      ->range(1, 3600);
  return [o](Context& context) { return serve(*o, context); };
}

// --- keys ---------------------------------------------------------------------------------------

struct KeyFlags {
  bool creates = false, lists = false, revokes = false;
  std::string scope = "chat", note, id;
};

base::Json to_json(const service::Key& key) {
  return {{"id", key.id},
          {"scope", service::name(key.scope)},
          {"note", key.note},
          {"created", key.created}};
}

Result<Answer> manage_keys(const KeyFlags& o, Context& context) {
  Terminal& t = context.terminal;
  service::Keys keys = TRY(service::Keys::open());
  if (o.creates) {
    const auto scope = service::scope_from_name(o.scope);
    if (!scope)
      return fail(Code::kUsage, fmt::format("there is no scope '{}'", printable(o.scope)),
                  "chat, forget or admin");
    const auto created = TRY(keys.create(*scope, o.note));
    t.line("{}", created.secret);
    t.note(fmt::format("Key {} for '{}'. It is shown this once; only its hash is kept.",
                       created.key.id, o.scope));
    Answer answer{to_json(created.key)};
    answer.json["key"] = created.secret;
    return answer;
  }
  if (o.revokes) {
    const service::Key key = TRY(keys.revoke(o.id));
    t.line("Revoked: {}, scope {}", key.id, service::name(key.scope));
    return Answer{to_json(key)};
  }
  Answer answer{{{"keys", base::Json::array()}}};
  for (const service::Key& key : keys.all()) {
    t.line("{}  {}  {}  {}", key.id, pad(std::string(service::name(key.scope)), 6), key.created,
           printable(key.note));
    answer.json["keys"].push_back(to_json(key));
  }
  if (keys.empty()) t.line("There are no keys: a server listens on this machine alone.");
  return answer;
}

Action declare_key(Arguments& cli) {
  auto o = std::make_shared<KeyFlags>();
  Arguments* create = cli.add_subcommand("create", o->creates, "make a key, shown once");
  create
      ->add_option("--scope", o->scope,
                   "chat: talk; forget: edit and undo too; admin: export too (chat)")
      ->type_name("SCOPE");
  create->add_option("--note", o->note, "for whom it is")->type_name("TEXT");
  cli.add_subcommand("list", o->lists, "the keys there are, without their secrets");
  Arguments* revoke = cli.add_subcommand("revoke", o->revokes, "a key no longer opens anything");
  revoke->add_option("id", o->id, "of the key")->type_name("")->required();
  return [o](Context& context) { return manage_keys(*o, context); };
}

}  // namespace

extern const Command command_serve, command_key;
const Command command_serve{
    "serve", "the model, requests to forget and a page over HTTP",
    "Examples:\n  expunge serve\n  expunge serve -m model.gguf --port 9000\n"
    "  expunge serve --upstream http://localhost:11434 --targets names.jsonl\n"
    "With keys ('expunge key create') every request needs one, and --host may be any\n"
    "address.",
    declare_serve};
const Command command_key{"key", "who may use a server",
                          "Examples:\n  expunge key create --scope forget --note laptop\n"
                          "  expunge key list\n  expunge key revoke AbCd1234",
                          declare_key, kNoCommon};

}  // namespace expunge::cli
