// What a guarded server is put together from: the list, the upstream or this program's model, and
// the agents.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "server/app.h"
#include "server/guarded.h"
#include "server/upstream.h"

namespace expunge::server {

struct GuardSetup {
  std::string targets;   // file of JSON lines besides the store; "" = none
  std::string upstream;  // URL of what is guarded; "" = this program's model
  std::string agents;    // URL of the agents' model; "" = this program's, else the upstream
  std::string model;     // of the agents at a URL; "" = what a request asks for, else "default"
  double timeout_s = 120;
  bool is_loopback = true;
  std::vector<std::string> hosts = {};
};

class GuardedServer {
 public:
  // `app`: this program's model; null: there is none. `say` takes lines for the operator, from any
  // thread. $EXPUNGE_UPSTREAM_KEY is sent to the upstream in place of the clients' keys,
  // $EXPUNGE_API_KEY to the agents. Errors: those of the list and of the URLs.
  static base::Result<std::unique_ptr<GuardedServer>> make(
      const GuardSetup& setup, App* app, std::function<void(const std::string&)> say);
  ~GuardedServer();
  void handle(HttpRequest request, std::shared_ptr<Exchange> exchange) {
    guarded_->handle(std::move(request), std::move(exchange));
  }
  size_t n_targets() { return list_->now()->targets().size(); }

 private:
  GuardedServer() = default;
  void ask_upstream(HttpRequest request, std::shared_ptr<Exchange> exchange);
  void test_agents(std::function<void(const std::string&)> say);
  std::unique_ptr<GuardList> list_;
  std::unique_ptr<Door> door_;
  std::unique_ptr<Upstream> upstream_, agents_;
  std::function<guard::Ask(const HttpRequest&, const std::string& model)> ask_;
  std::unique_ptr<Guarded> guarded_;
  base::Job job_;
  std::thread tester_;
};

}  // namespace expunge::server
