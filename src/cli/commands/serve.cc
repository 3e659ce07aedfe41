// expunge serve: the model, the requests to forget and the page over HTTP.
#include <thread>

#include "cli/access.h"
#include "cli/layout.h"
#include "server/app.h"

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
};

constexpr double kGrace_s = 20;  // in which streams may end

// Takes Ctrl+C to the server while it runs: the first lets streams end, the second does not.
class Stopper {
 public:
  Stopper(const base::Job& job, server::HttpServer& server, server::App& app)
      : thread_([this, job, &server, &app] {
          bool told = false;
          while (!ended_) {
            if (!told && job.cancelled()) {
              app.end_events();
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

Result<Answer> serve(const ServeFlags& o, Context& context) {
  const bool is_loopback = server::is_loopback(o.host);
  service::Keys keys = TRY(service::Keys::open());
  if (!is_loopback && keys.empty())
    return fail(Code::kRefused,
                fmt::format("'{}' is more than this machine, and no key exists", o.host),
                "make one with 'expunge key create --scope admin', or listen on 127.0.0.1");
  std::unique_ptr<server::App> app;  // the transport calls it once it runs
  server::HttpLimits limits;
  // The port is taken first: whoever connects meanwhile waits.
  const auto http = TRY(server::HttpServer::listen(
      o.host, static_cast<uint16_t>(o.port), limits,
      [&app](server::HttpRequest request, std::shared_ptr<server::Exchange> exchange) {
        app->handle(std::move(request), std::move(exchange));
      },
      server::App::refusal));
  const auto session = TRY(open_session(context, journal::Mode::kReadWrite));
  const auto reader = TRY(service::IntentReader::make(o.watchdog, *session));
  app = std::make_unique<server::App>(
      *session, reader, std::move(keys),
      server::AppOptions{
          .is_loopback = is_loopback, .hosts = o.hosts, .watchdog = o.watchdog, .plan = o.plan});
  const std::string shown = o.host.find(':') == o.host.npos ? o.host : "[" + o.host + "]";
  const std::string url = fmt::format("http://{}:{}", shown, http->port());
  Terminal& t = context.terminal;
  t.clear_progress();
  t.line("{} serves {}", t.paint(Tone::kGood, url), printable(app->model_id()));
  t.line("{}", t.paint(Tone::kDim, "The page is there; clients of OpenAI's API take " + url +
                                       "/v1. Ctrl+C ends it."));
  TRY(t.finish());
  {
    const Stopper stopper(context.job, *http, *app);
    http->run();
  }
  app.reset();
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
    "With keys ('expunge key create') every request needs one, and --host may be any\n"
    "address.",
    declare_serve};
const Command command_key{"key", "who may use a server",
                          "Examples:\n  expunge key create --scope forget --note laptop\n"
                          "  expunge key list\n  expunge key revoke AbCd1234",
                          declare_key, kNoCommon};

}  // namespace expunge::cli
