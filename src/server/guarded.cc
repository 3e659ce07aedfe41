#include "server/guarded.h"

#include <algorithm>
#include <charconv>

#include "server/fields.h"
#include "server/responses.h"
#include "server/scrub.h"
#include "server/sieve.h"

namespace expunge::server {

using base::Code;
using base::Json;
using guard::Mode;
using service::Scope;

namespace {

constexpr int kDeclined = 16;  // tokens of a draft that nobody will see
constexpr const char* kNotAsked = "the upstream sent a stream that was not asked for";

}  // namespace

// One request on its way through.
struct Guarded::Turn {
  Turn(Guarded& g, HttpRequest r, std::shared_ptr<Exchange> e, Scope s, Kind k)
      : guarded(g), request(std::move(r)), client(std::move(e)), scope(s), kind(k) {
    const std::lock_guard lock(guarded.open_mutex_);
    guarded.open_.insert(this);
  }
  ~Turn() {
    const std::lock_guard lock(guarded.open_mutex_);
    guarded.open_.erase(this);
    guarded.closed_.notify_all();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  Guarded& guarded;
  HttpRequest request;
  const std::shared_ptr<Exchange> client;
  const Scope scope;
  const Kind kind;
  Json body = {};
  bool streams = false, wants_usage = false;
  size_t n = 1;
  std::shared_ptr<const guard::Scanner> scanner = {};
  std::vector<guard::Hit> hits = {};  // of the query, or of the draft

  // The client's stream, begun by whoever has something to say first.
  std::mutex mutex = {};
  bool has_begun = false;
  bool write(const std::string& piece) {
    const std::lock_guard lock(mutex);
    if (!std::exchange(has_begun, true)) client->begin_stream();
    return piece.empty() || client->write(piece);
  }
};

Guarded::Guarded(GuardList& list, Door& door, GuardOptions options)
    : list_(list),
      door_(door),
      options_(std::move(options)),
      keeper_([this] { keep_alive(); }),
      workers_(options_.threads, options_.most_open) {}

Guarded::~Guarded() {
  {
    const std::lock_guard lock(held_mutex_);
    stops_ = true;
  }
  held_wakes_.notify_all();
  keeper_.join();
  // Answers that are on their way come back to this.
  std::unique_lock lock(open_mutex_);
  for (const Turn* turn : open_) turn->client->job.cancel();
  closed_.wait(lock, [&] { return open_.empty(); });
}

void Guarded::keep_alive() {
  std::unique_lock lock(held_mutex_);
  const auto pause = std::chrono::duration<double>(options_.keep_alive_s);
  while (!held_wakes_.wait_for(lock, pause, [&] { return stops_; }))
    for (const TurnPtr& turn : held_) turn->write(": still here\n\n");
}

void Guarded::handle(HttpRequest request, std::shared_ptr<Exchange> exchange) {
  ++metrics_.requests;
  if (const auto status = door_.check_origin(request); !status)
    return exchange->send(error_response(status.error()));
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  const bool is_chat = request.path == "/v1/chat/completions";
  if (is_chat || request.path == "/v1/completions") {
    if (method != "POST") return exchange->send(refusal(405, request.path + " takes POST"));
    const auto scope = door_.admit(request, Scope::kChat);
    if (!scope) return exchange->send(scope.error());
    const auto turn = std::make_shared<Turn>(*this, std::move(request), std::move(exchange), *scope,
                                             is_chat ? Kind::kChat : Kind::kText);
    if (!workers_.run([this, turn] { begin(turn); }))
      turn->client->send(refusal(429, "too many requests are open"));
    return;
  }
  if (request.path == "/v1/guard/targets" || request.path.starts_with("/v1/guard/targets/") ||
      request.path == "/metrics") {
    // Clients on this machine are no operators: there must be a key.
    if (const auto scope = door_.admit_key(request, Scope::kAdmin); !scope)
      return exchange->send(scope.error());
    return list_route(request, *exchange);
  }
  if (options_.others) return other_route(std::move(request), std::move(exchange));
  if (request.path == "/health" && method == "GET")
    return exchange->send(json_response({{"status", "ok"}}));
  if ((request.path == "/v1/models" || request.path.starts_with("/v1/models/")) &&
      method == "GET") {
    const auto scope = door_.admit(request, Scope::kChat);
    if (!scope) return exchange->send(scope.error());
    return models_route(std::move(request), std::move(exchange), *scope);
  }
  exchange->send(refusal(404, fmt::format("{} is not guarded, so it is not served", request.path),
                         "/v1/chat/completions, /v1/completions and /v1/models are"));
}

// Plans hold what the model says, the ledger what it said: without a key of the scope 'forget', on
// this machine too, neither shows a target.
void Guarded::other_route(HttpRequest request, std::shared_ptr<Exchange> exchange) {
  if (!request.path.starts_with("/v1/") || door_.admit_key(request, Scope::kForget))
    return options_.others(std::move(request), std::move(exchange));
  const auto scanner = list_.now();
  const HttpResponse kept = error_response(
      {Code::kRefused, "this names what is guarded", "a key of the scope 'forget' may see it", {}});
  const auto tap = std::make_shared<Tap>(exchange->job);
  tap->on_response = [=](HttpResponse response) {
    exchange->send(scanner->touches(response.body) ? kept : std::move(response));
  };
  tap->on_begin = [exchange] { exchange->begin_stream(); };
  tap->on_piece = [=](const std::string& piece) {  // a whole event
    return exchange->write(scanner->touches(piece) ? "event: error\ndata: " + kept.body + "\n"
                                                   : piece);
  };
  tap->on_end = [exchange] { exchange->end(); };
  options_.others(std::move(request), tap);
}

void Guarded::models_route(HttpRequest request, std::shared_ptr<Exchange> exchange, Scope scope) {
  const auto scanner = list_.now();
  const auto tap = std::make_shared<Tap>(exchange->job);
  tap->on_response = [scanner, exchange](HttpResponse response) {
    const Json json = Json::parse(response.body, nullptr, false);
    if (json.is_discarded() || scanner->touches(words_of(json)))
      return exchange->send(refusal(502, "the upstream's answer cannot be shown"));
    exchange->send(std::move(response));
  };
  options_.inner(std::move(request), tap, scope);
}

bool Guarded::may_rewrite(const Turn& turn) const {
  return rewrites_ && options_.agents && turn.kind == Kind::kChat && turn.n == 1 &&
         !turn.body.contains("tools") && std::ranges::all_of(turn.hits, [&](const guard::Hit& hit) {
           return turn.scanner->targets()[hit.target].mode == Mode::kRewrite;
         });
}

void Guarded::begin(const TurnPtr& turn) {
  Turn& t = *turn;
  auto read = [&]() -> base::Status {
    Json body = TRY(base::parse_json(t.request.body, "the body"));
    if (!body.is_object()) return base::fail(Code::kInvalid, "the body is not a JSON object");
    t.streams = TRY(bool_field(body, "stream", false));
    t.n = static_cast<size_t>(TRY(integer_field(body, "n", 1, 1, 128)));
    if (const Json* options = given(body, "stream_options"); options && options->is_object())
      t.wants_usage = TRY(bool_field(*options, "include_usage", false));
    t.body = TRY(forwarded(t.kind, body));
    return {};
  };
  if (const auto status = read(); !status) return t.client->send(error_response(status.error()));
  t.request.body.clear();
  t.scanner = list_.now();
  t.hits = t.scanner->scan(words_of_request(t.body));
  if (!t.hits.empty() && t.kind == Kind::kChat) {
    drop_touched_turns(t.body, *t.scanner);
    t.hits = t.scanner->scan(words_of_request(t.body));
  }
  if (t.hits.empty()) return forward(turn);
  ++metrics_.touched_queries;
  draft(turn);
}

// A clear query: the reply passes as it comes.
void Guarded::forward(const TurnPtr& turn) {
  const auto tap = std::make_shared<Tap>(turn->client->job);
  tap->on_response = [this, turn](const HttpResponse& response) { take_reply(turn, response); };
  tap->on_end = [this, turn] { fail(turn, refusal(502, kNotAsked)); };
  if (turn->streams) {
    const auto sieve = std::make_shared<Sieve>(turn->kind, *turn->scanner, turn->wants_usage);
    tap->on_piece = [turn, sieve](const std::string& piece) {
      return turn->write(sieve->push(piece));
    };
    tap->on_end = [this, turn, sieve] {
      turn->write(sieve->end());
      if (sieve->was_touched()) ++metrics_.touched_drafts, ++metrics_.declined;
      turn->client->end();
    };
  }
  HttpRequest request = turn->request;
  request.body = base::dump_json(turn->body);
  options_.inner(std::move(request), tap, turn->scope);
}

// A query that touches a target: the model is asked all the same, so that a decline takes the time
// of a short reply and costs what one costs, whatever is on the list.
void Guarded::draft(const TurnPtr& turn) {
  Json body = turn->body;
  body["stream"] = false;
  body.erase("stream_options");
  if (!may_rewrite(*turn)) {
    body["n"] = 1;
    body[body.contains("max_completion_tokens") ? "max_completion_tokens" : "max_tokens"] =
        kDeclined;
  }
  const auto tap = std::make_shared<Tap>(turn->client->job);
  tap->on_response = [this, turn](const HttpResponse& response) {
    // Not in the thread that brings the draft: it may be the one that the agents wait for.
    if (!workers_.run([this, turn, response] { take_draft(turn, response); }))
      fail(turn, refusal(429, "too many requests are open"));
  };
  tap->on_end = [this, turn] { fail(turn, refusal(502, kNotAsked)); };
  if (turn->streams) {
    const std::lock_guard lock(held_mutex_);
    held_.insert(turn);
  }
  HttpRequest request = turn->request;
  request.body = base::dump_json(body);
  options_.inner(std::move(request), tap, turn->scope);
}

void Guarded::take_draft(const TurnPtr& turn, const HttpResponse& response) {
  if (response.status != 200) return fail(turn, response);
  auto clean = clean_reply(turn->kind, Json::parse(response.body, nullptr, false));
  if (!clean) return fail(turn, refusal(502, clean.error().message));
  if (!may_rewrite(*turn)) return decline(turn, *clean);
  rewrite(turn, std::move(*clean));
}

// A whole reply to a clear query.
void Guarded::take_reply(const TurnPtr& turn, const HttpResponse& response) {
  if (response.status != 200) return fail(turn, response);
  auto clean = clean_reply(turn->kind, Json::parse(response.body, nullptr, false));
  if (!clean) return fail(turn, refusal(502, clean.error().message));
  turn->hits = turn->scanner->scan(words_of(*clean));
  if (turn->hits.empty()) return answer(turn, *clean);
  ++metrics_.touched_drafts;
  const bool is_text = turn->kind == Kind::kChat && (*clean)["choices"].size() == 1 &&
                       !(*clean)["choices"][0]["message"].contains("tool_calls");
  if (!is_text || !may_rewrite(*turn)) return decline(turn, *clean);
  const auto shared = std::make_shared<Json>(std::move(*clean));
  if (!workers_.run([this, turn, shared] { rewrite(turn, std::move(*shared)); }))
    fail(turn, refusal(429, "too many requests are open"));
}

void Guarded::rewrite(const TurnPtr& turn, Json clean) {
  const Json content = clean["choices"][0]["message"]["content"];
  if (!content.is_string() || clean["choices"][0]["message"].contains("tool_calls"))
    return decline(turn, clean);
  std::vector<size_t> touched;
  for (const guard::Hit& hit : turn->hits) touched.push_back(hit.target);
  const Json model = turn->body.value("model", Json());
  const auto ask =
      options_.agents(turn->request, model.is_string() ? model.get<std::string>() : "");
  const auto audit =
      guard::audit(ask, *turn->scanner, touched, query_of(turn->kind, turn->body),
                   content.get<std::string>(), {}, turn->client->job.within(options_.audit_s));
  if (!audit) return decline(turn, clean);
  metrics_.audit_calls += audit->calls;
  metrics_.audit_tokens += audit->prompt_tokens + audit->reply_tokens;
  if (clean.contains("usage")) {  // what was spent, by whomever
    const auto add = [&](const char* name, size_t n) {
      clean["usage"][name] = clean["usage"].value(name, int64_t{0}) + static_cast<int64_t>(n);
    };
    add("prompt_tokens", audit->prompt_tokens);
    add("completion_tokens", audit->reply_tokens);
    add("total_tokens", audit->prompt_tokens + audit->reply_tokens);
  }
  if (!audit->text) return decline(turn, clean);
  Json rewritten = with_text(turn->kind, std::move(clean), *audit->text, 1);
  if (turn->scanner->touches(words_of(rewritten))) return decline(turn, rewritten);
  ++metrics_.rewritten;
  answer(turn, rewritten);
}

void Guarded::decline(const TurnPtr& turn, const Json& clean) {
  ++metrics_.declined;
  Json declined = with_text(turn->kind, clean, decline_words(*turn->scanner, turn->hits), turn->n);
  for (const char* name : {"id", "model"})
    if (turn->scanner->touches(declined[name].get<std::string>())) declined[name] = "";
  answer(turn, declined);
}

void Guarded::answer(const TurnPtr& turn, const Json& clean) {
  if (!turn->streams) return turn->client->send(json_response(clean));
  {
    const std::lock_guard lock(held_mutex_);
    held_.erase(turn);
  }
  turn->write(as_stream(turn->kind, clean, turn->wants_usage));
  turn->client->end();
}

// An upstream's error keeps its status and, if nothing stands in it, its words.
void Guarded::fail(const TurnPtr& turn, HttpResponse response) {
  {
    const std::lock_guard lock(held_mutex_);
    held_.erase(turn);
  }
  const Json json = Json::parse(response.body, nullptr, false);
  std::string message = fmt::format("the upstream answered with status {}", response.status);
  if (json.is_object() && json.contains("error")) {
    const Json& error = json["error"];
    const Json* theirs = error.is_object() ? given(error, "message") : &error;
    if (theirs && theirs->is_string() && !turn->scanner->touches(theirs->get<std::string>()))
      message = *theirs;
  }
  const int status = response.status >= 400 ? response.status : 502;
  HttpResponse shown = refusal(status, message);
  if (const auto after = response.headers.find("Retry-After"); after != response.headers.end())
    shown.headers["Retry-After"] = after->second;
  const std::lock_guard lock(turn->mutex);
  if (!turn->has_begun) return turn->client->send(std::move(shown));
  turn->client->write("data: " + shown.body + "\n");
  turn->client->end();
}

// --- the operator's routes ----------------------------------------------------------------------

void Guarded::list_route(const HttpRequest& request, Exchange& exchange) {
  if (request.path == "/metrics")
    return exchange.send({.body = metrics_text(), .content_type = "text/plain; version=0.0.4"});
  const auto respond = [&](base::Result<Json> result) {
    exchange.send(result ? json_response(*result) : error_response(result.error()));
  };
  const std::string id = request.path.size() > 18 ? request.path.substr(18) : "";
  if (id.empty() && request.method == "GET")
    return respond([&]() -> base::Result<Json> {
      Json targets = Json::array();
      for (const guard::Target& t : TRY(list_.all())) {
        targets.push_back(guard::to_json(t));
        targets.back()["id"] = t.id == 0 ? Json() : Json(t.id);
      }
      return Json{{"targets", std::move(targets)}};
    }());
  if (id.empty() && request.method == "POST")
    return respond([&]() -> base::Result<Json> {
      const auto target =
          TRY(guard::target_from_json(TRY(base::parse_json(request.body, "the body"))));
      return Json{{"id", TRY(list_.add(target))}};
    }());
  if (!id.empty() && request.method == "DELETE")
    return respond([&]() -> base::Result<Json> {
      int64_t number = 0;
      const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
      if (error != std::errc() || end != id.data() + id.size())
        return base::fail(Code::kNotFound, fmt::format("there is no target '{}'", id));
      return Json{{"removed", TRY(list_.remove(number)).id}};
    }());
  exchange.send(refusal(405, id.empty() ? "/v1/guard/targets takes GET, POST"
                                        : "/v1/guard/targets/{id} takes DELETE"));
}

std::string Guarded::metrics_text() const {
  std::string text;
  const auto add = [&](const char* name, const std::atomic<uint64_t>& value) {
    text += fmt::format("# TYPE expunge_guard_{0} counter\nexpunge_guard_{0} {1}\n", name,
                        value.load());
  };
  add("requests_total", metrics_.requests);
  add("touched_queries_total", metrics_.touched_queries);
  add("touched_drafts_total", metrics_.touched_drafts);
  add("declined_total", metrics_.declined);
  add("rewritten_total", metrics_.rewritten);
  add("audit_calls_total", metrics_.audit_calls);
  add("audit_tokens_total", metrics_.audit_tokens);
  return text;
}

}  // namespace expunge::server
