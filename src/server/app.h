// What is served: routes to the service's use cases, who may call them, and errors as bodies. The
// HTTP is http.h's, the bodies of OpenAI's routes are openai.h's.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "server/door.h"
#include "server/proposals.h"
#include "server/responses.h"
#include "server/said.h"
#include "server/workers.h"
#include "service/completion.h"
#include "service/orders.h"

namespace expunge::server {

struct AppOptions {
  bool is_loopback = true;  // that it listens there: without any key everybody there may do all
  std::vector<std::string> hosts = {};  // names that requests may have in Host, without the port
  std::string watchdog = {};            // who reads plain words, as IntentReader::make takes it
  service::PlanOptions plan = {};
  repair::ForgetOptions forget = {};
  size_t max_changes = 16;  // requests to forget or undo that run or wait; more are refused
  size_t max_plans = 256;   // messages that are read, or planned
  double most_s = 600;      // that a reply may take
};

// A request on its way through a route.
struct Call {
  HttpRequest request;
  std::shared_ptr<Exchange> exchange;
  std::vector<std::string> parameters = {};  // what stood for {} in the route's path
  service::Scope scope = service::Scope::kAdmin;
  base::Json body = {};
};

// A field of a route's body, as /openapi.json shows it.
struct BodyField {
  std::string_view name;
  std::string_view type;  // of JSON Schema; "" = any
  std::string_view help;
};

// An active edit, and the answers that it made the model forget.
struct HeldEntry {
  int64_t id;
  std::vector<std::string> answers = {};  // none of a sealed one
};

class App;
// One row of the table that routes, /openapi.json and the limits are made of.
struct Route {
  std::string_view method, path;        // {} stands for one segment
  std::optional<service::Scope> scope;  // nothing: for everybody
  std::string_view summary;
  // Where it runs: at once, or in one of the threads for reading and planning, or for changes.
  enum class Runs { kAtOnce, kReading, kChanging } runs;
  void (*handle)(App& app, Call call);
  std::vector<BodyField> body = {};
};
std::vector<Route> routes();

struct Metrics {
  std::atomic<uint64_t> requests, errors_4xx, errors_5xx, refused_busy, forgotten, reverted, undone;
};

class App {
 public:
  App(service::Session& session, const service::IntentReader& reader, service::Keys keys,
      AppOptions options);
  ~App();

  // `admitted`: what stands before this server has checked who asks, and with which scope.
  void handle(HttpRequest request, std::shared_ptr<Exchange> exchange,
              std::optional<service::Scope> admitted = {});

  // For the routes.
  service::Session& session() { return session_; }
  const service::IntentReader& reader() const { return reader_; }
  service::Decoder& decoder() { return *session_.decoder(); }
  Proposals& proposals() { return proposals_; }
  Said& said() { return said_; }
  Metrics& metrics() { return metrics_; }
  const AppOptions& options() const { return options_; }
  std::string model_id() const { return model_id_; }
  int64_t created() const { return created_; }
  // The model with the active edits, or with these. Errors: kNotFound.
  base::Result<model::ChatModel> model(const std::optional<std::vector<int64_t>>& entries);
  // The active edits, in the journal's order.
  std::shared_ptr<const std::vector<HeldEntry>> held();
  // Tells those who listen (/v1/expunge/events) that the ledger has changed.
  void announce();
  void listen(std::shared_ptr<Exchange> exchange);
  // Ends the streams of those, who would wait forever, and of who comes later.
  void end_events();

 private:
  void dispatch(const Route& route, Call call, std::optional<service::Scope> admitted);
  void watch_ledger();

  service::Session& session_;
  const service::IntentReader& reader_;
  const AppOptions options_;
  const std::vector<Route> routes_;
  const std::string model_id_;
  const int64_t created_;
  Door door_;
  Metrics metrics_ = {};
  Proposals proposals_;
  Said said_;
  struct Variant;
  std::mutex variants_mutex_;
  std::vector<Variant> variants_;  // models with chosen entries, the latest first
  std::mutex held_mutex_;
  std::shared_ptr<const std::vector<HeldEntry>> held_;  // as of held_head_; null: not read yet
  int64_t held_head_ = 0;
  std::mutex listeners_mutex_;
  std::vector<std::shared_ptr<Exchange>> listeners_;
  std::mutex watcher_mutex_;
  std::condition_variable watcher_wakes_;
  bool stops_ = false, changed_ = false;  // guarded by watcher_mutex_
  bool events_end_ = false;               // guarded by listeners_mutex_
  std::thread watcher_;
  // Last: they end first.
  Workers reading_, changing_;
};

// A response, or an error as OpenAI's clients understand it.
void respond(App& app, const Call& call, base::Result<base::Json> result);
void fail(App& app, const Call& call, const base::Error& error);

}  // namespace expunge::server
