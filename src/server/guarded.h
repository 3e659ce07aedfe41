// The guard in front of a model's server, the one in this program or another: names on the
// operator's list are kept out of what is said (docs/guard.md). It fails closed: whatever cannot be
// read, checked or cleaned ends in a decline or an error.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <thread>

#include "guard/auditor.h"
#include "server/door.h"
#include "server/guard_list.h"
#include "server/openai.h"
#include "server/workers.h"

namespace expunge::server {

// What is guarded: it answers a request of somebody whose scope is known.
using Inner = std::function<void(HttpRequest, std::shared_ptr<Exchange>, service::Scope)>;

struct GuardOptions {
  Inner inner;
  // Everything else: the page, the ledger. Null: it is not served. Who has no key of the scope
  // 'forget' is not shown there what names a target.
  Handler others = {};
  // The agents, for a request with these headers, to this model; null: nothing is rewritten.
  std::function<guard::Ask(const HttpRequest&, const std::string& model)> agents = {};
  double audit_s = 90;  // in which a draft must be clean
  double keep_alive_s = 10;
  size_t threads = 32, most_open = 512;
};

struct GuardMetrics {
  std::atomic<uint64_t> requests, touched_queries, touched_drafts, declined, rewritten, audit_calls,
      audit_tokens;
};

class Guarded {
 public:
  // The list, the door and what is guarded outlive it.
  Guarded(GuardList& list, Door& door, GuardOptions options);
  ~Guarded();  // cancels what is on its way and waits for it
  void handle(HttpRequest request, std::shared_ptr<Exchange> exchange);
  // Whether the agents may rewrite; until then targets of that mode are declined.
  void set_rewrites(bool rewrites) { rewrites_ = rewrites; }
  GuardMetrics& metrics() { return metrics_; }

 private:
  struct Turn;
  using TurnPtr = std::shared_ptr<Turn>;
  void begin(const TurnPtr& turn);
  void forward(const TurnPtr& turn);
  void draft(const TurnPtr& turn);
  void take_draft(const TurnPtr& turn, const HttpResponse& response);
  void take_reply(const TurnPtr& turn, const HttpResponse& response);
  void rewrite(const TurnPtr& turn, base::Json clean);
  void decline(const TurnPtr& turn, const base::Json& clean);
  void answer(const TurnPtr& turn, const base::Json& clean);
  void fail(const TurnPtr& turn, HttpResponse response);
  void list_route(const HttpRequest& request, Exchange& exchange);
  void other_route(HttpRequest request, std::shared_ptr<Exchange> exchange);
  void models_route(HttpRequest request, std::shared_ptr<Exchange> exchange, service::Scope scope);
  std::string metrics_text() const;
  bool may_rewrite(const Turn& turn) const;
  void keep_alive();

  GuardList& list_;
  Door& door_;
  const GuardOptions options_;
  std::atomic<bool> rewrites_ = false;
  GuardMetrics metrics_ = {};
  std::mutex held_mutex_;
  std::condition_variable held_wakes_;
  std::set<TurnPtr> held_;  // streams whose clients wait
  bool stops_ = false;
  std::mutex open_mutex_;
  std::condition_variable closed_;
  std::set<const Turn*> open_;  // on their way
  std::thread keeper_;
  Workers workers_;  // last: they end first
};

}  // namespace expunge::server
