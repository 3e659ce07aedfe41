#include "server/guard_setup.h"

#include <algorithm>
#include <cstdlib>

#include "base/files.h"
#include "server/guard_agents.h"

namespace expunge::server {

using base::Json;
using base::Result;
using service::Scope;

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

Result<std::unique_ptr<GuardedServer>> GuardedServer::make(
    const GuardSetup& setup, App* app, std::function<void(const std::string&)> say) {
  std::unique_ptr<GuardedServer> s(new GuardedServer());
  s->list_ = TRY(GuardList::open(TRY(base::data_dir()) + "/guard.db", setup.targets, say));
  s->door_ = std::make_unique<Door>(TRY(service::Keys::open()), setup.is_loopback, setup.hosts);
  GuardOptions options;
  if (!setup.upstream.empty()) {
    s->upstream_ = TRY(Upstream::make({.url = setup.upstream,
                                       .key = variable("EXPUNGE_UPSTREAM_KEY"),
                                       .timeout_s = setup.timeout_s}));
    options.inner = [g = s.get()](HttpRequest r, std::shared_ptr<Exchange> e, Scope) {
      g->ask_upstream(std::move(r), std::move(e));
    };
  } else {
    options.inner = [app](HttpRequest r, std::shared_ptr<Exchange> e, Scope scope) {
      app->handle(std::move(r), std::move(e), scope);
    };
    options.others = [app](HttpRequest r, std::shared_ptr<Exchange> e) {
      app->handle(std::move(r), std::move(e));
    };
  }
  const auto model_of = [own = setup.model](const std::string& asked) {
    return !own.empty() ? own : asked.empty() ? "default" : asked;
  };
  if (!setup.agents.empty()) {
    s->agents_ = TRY(Upstream::make(
        {.url = setup.agents, .key = variable("EXPUNGE_API_KEY"), .timeout_s = setup.timeout_s}));
    s->ask_ = [up = s->agents_.get(), model_of](const HttpRequest&, const std::string&) {
      return ask_through(
          [up](HttpRequest r, std::shared_ptr<Exchange> e) {
            up->handle(std::move(r), std::move(e));
          },
          model_of(""), Json::object(), {});
    };
  } else if (app) {
    s->ask_ = [app](const HttpRequest&, const std::string&) {
      return ask_through(
          [app](HttpRequest r, std::shared_ptr<Exchange> e) {
            app->handle(std::move(r), std::move(e), Scope::kChat);
          },
          "", {{"max_tokens", 512}, {"expunge", {{"read", false}}}}, {});
    };
  } else {
    s->ask_ = [g = s.get(), model_of](const HttpRequest& request, const std::string& asked) {
      return ask_through(
          [g](HttpRequest r, std::shared_ptr<Exchange> e) {
            g->ask_upstream(std::move(r), std::move(e));
          },
          model_of(asked), Json::object(), {{"authorization", request.header("authorization")}});
    };
  }
  options.agents = s->ask_;
  s->guarded_ = std::make_unique<Guarded>(*s->list_, *s->door_, std::move(options));
  s->tester_ = std::thread([p = s.get(), say = std::move(say)] { p->test_agents(say); });
  return s;
}

// Keys of this server open nothing there: once there are some, clients' keys stay here.
void GuardedServer::ask_upstream(HttpRequest request, std::shared_ptr<Exchange> exchange) {
  const auto keys = door_->has_keys();
  if (!keys || *keys) request.headers.erase("authorization");
  upstream_->handle(std::move(request), std::move(exchange));
}

GuardedServer::~GuardedServer() {
  job_.cancel();
  if (tester_.joinable()) tester_.join();
}

// Once the first target of the mode is there: until the agents have shown that they can rewrite,
// it is declined.
void GuardedServer::test_agents(std::function<void(const std::string&)> say) {
  const auto wants = [&] {
    return std::ranges::any_of(list_->now()->targets(), [](const guard::Target& t) {
      return t.mode == guard::Mode::kRewrite;
    });
  };
  while (!wants()) {
    if (job_.cancelled()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  const auto test = guard::self_test(ask_({}, ""), job_);
  if (!test) return;  // cancelled
  guarded_->set_rewrites(test->is_strong());
  say(test->is_strong()
          ? fmt::format("The agents' model cleans drafts well enough ({} of {}).", test->passed,
                        test->asked)
          : fmt::format("The agents' model is too weak to clean drafts ({} of {} came out right): "
                        "targets in the mode 'rewrite' are declined.",
                        test->passed, test->asked));
}

}  // namespace expunge::server
