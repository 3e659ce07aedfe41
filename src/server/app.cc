#include "server/app.h"

#include <algorithm>
#include <filesystem>

namespace expunge::server {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;
using service::Scope;

namespace {

constexpr size_t kReaders = 8, kVariants = 4;
constexpr auto kPoll = std::chrono::seconds(1), kKeepAlive = std::chrono::seconds(15);

// The segments that stand for {}; nothing if the path is another.
std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
  std::vector<std::string> parameters;
  while (!pattern.empty() || !path.empty()) {
    if (pattern.empty() || path.empty() || pattern[0] != '/' || path[0] != '/') return std::nullopt;
    pattern.remove_prefix(1), path.remove_prefix(1);
    const std::string_view want = pattern.substr(0, pattern.find('/'));
    const std::string_view got = path.substr(0, path.find('/'));
    if (want == "{}" && !got.empty())
      parameters.emplace_back(got);
    else if (want != got)
      return std::nullopt;
    pattern.remove_prefix(want.size()), path.remove_prefix(got.size());
  }
  return parameters;
}

}  // namespace

struct App::Variant {
  int64_t head;
  std::vector<int64_t> entries;
  model::ChatModel model;
};

App::App(service::Session& session, const service::IntentReader& reader, service::Keys keys,
         AppOptions options)
    : session_(session),
      reader_(reader),
      options_(std::move(options)),
      routes_(server::routes()),
      model_id_(std::filesystem::path(session.present().path).stem().string()),
      created_(std::chrono::duration_cast<std::chrono::seconds>(
                   std::chrono::system_clock::now().time_since_epoch())
                   .count()),
      door_(std::move(keys), options_.is_loopback, options_.hosts),
      watcher_([this] { watch_ledger(); }),
      reading_(kReaders, options_.max_plans),
      changing_(1, options_.max_changes) {}

App::~App() {
  {
    const std::lock_guard lock(watcher_mutex_);
    stops_ = true;
  }
  watcher_wakes_.notify_all();
  watcher_.join();
}

void fail(App& app, const Call& call, const Error& error) {
  HttpResponse response = error_response(error);
  ++(response.status >= 500 ? app.metrics().errors_5xx : app.metrics().errors_4xx);
  call.exchange->send(std::move(response));
}

void respond(App& app, const Call& call, Result<Json> result) {
  if (!result) return fail(app, call, result.error());
  call.exchange->send(json_response(*result));
}

void App::handle(HttpRequest request, std::shared_ptr<Exchange> exchange,
                 std::optional<Scope> admitted) {
  ++metrics_.requests;
  Call call{std::move(request), std::move(exchange)};
  if (!admitted)
    if (const Status status = door_.check_origin(call.request); !status)
      return fail(*this, call, status.error());
  const std::string method = call.request.method == "HEAD" ? "GET" : call.request.method;
  std::string allowed;
  for (const Route& route : routes_) {
    auto parameters = match(route.path, call.request.path);
    if (!parameters) continue;
    if (route.method != method) {
      allowed += allowed.empty() ? std::string(route.method) : ", " + std::string(route.method);
      continue;
    }
    call.parameters = std::move(*parameters);
    return dispatch(route, std::move(call), admitted);
  }
  ++metrics_.errors_4xx;
  HttpResponse response =
      allowed.empty() ? refusal(404, fmt::format("there is no {}", call.request.path))
                      : refusal(405, fmt::format("{} takes {}", call.request.path, allowed));
  if (!allowed.empty()) response.headers["Allow"] = allowed;
  call.exchange->send(std::move(response));
}

void App::dispatch(const Route& route, Call call, std::optional<Scope> admitted) {
  if (route.scope) {
    const auto scope = admitted && *admitted >= *route.scope
                           ? tl::expected<Scope, HttpResponse>(*admitted)
                           : door_.admit(call.request, *route.scope);
    if (!scope) {
      ++metrics_.errors_4xx;
      return call.exchange->send(scope.error());
    }
    call.scope = *scope;
  }
  if (call.request.method == "POST") {
    auto body = call.request.body.empty() ? Result<Json>(Json::object())
                                          : base::parse_json(call.request.body, "the body");
    if (body && !body->is_object())
      body = base::fail(Code::kInvalid, "the body is not a JSON object");
    if (!body) return fail(*this, call, body.error());
    call.body = std::move(*body);
    call.request.body.clear();
  }
  const auto carry = [this, handle = route.handle](Call& c) {
    try {
      handle(*this, c);
    } catch (const std::exception& e) {  // a bug, or no memory
      fail(*this, c, {Code::kInternal, e.what(), "please report this", {}});
    }
  };
  if (route.runs == Route::Runs::kAtOnce) return carry(call);
  const auto shared = std::make_shared<Call>(std::move(call));
  Workers& workers = route.runs == Route::Runs::kReading ? reading_ : changing_;
  if (workers.run([carry, shared] { carry(*shared); })) return;
  ++metrics_.refused_busy;
  shared->exchange->send(refusal(429, "too many requests are open"));
}

Result<model::ChatModel> App::model(const std::optional<std::vector<int64_t>>& entries) {
  TRY(session_.refresh());  // another process may have appended
  if (!entries) return session_.present();
  const int64_t head = session_.snapshot()->head;
  const std::lock_guard lock(variants_mutex_);
  const auto it = std::ranges::find_if(
      variants_, [&](const Variant& v) { return v.head == head && v.entries == *entries; });
  if (it != variants_.end()) return it->model;
  model::ChatModel model = TRY(session_.with_entries(*entries));
  variants_.insert(variants_.begin(), {head, *entries, model});
  if (variants_.size() > kVariants) variants_.pop_back();
  return model;
}

void App::announce() {
  {
    const std::lock_guard lock(held_mutex_);
    held_ = nullptr;
  }
  {
    const std::lock_guard lock(watcher_mutex_);
    changed_ = true;
  }
  watcher_wakes_.notify_all();
}

void App::listen(std::shared_ptr<Exchange> exchange) {
  exchange->begin_stream();
  {
    const std::lock_guard lock(listeners_mutex_);
    if (events_end_) return exchange->end();
    listeners_.push_back(std::move(exchange));
  }
  announce();
}

void App::end_events() {
  const std::lock_guard lock(listeners_mutex_);
  events_end_ = true;
  for (const auto& l : listeners_) l->end();
  listeners_.clear();
}

std::shared_ptr<const std::vector<HeldEntry>> App::held() {
  const int64_t head = session_.snapshot()->head;
  const std::lock_guard lock(held_mutex_);
  if (held_ && held_head_ == head) return held_;
  auto held = std::make_shared<std::vector<HeldEntry>>();
  for (const journal::Entry& e : session_.active().value_or(std::vector<journal::Entry>())) {
    HeldEntry& entry = held->emplace_back(HeldEntry{e.id});
    if (e.sealed || !repair::has_questions(e)) continue;
    if (const auto plan = agent::plan_from_json(e.plan))
      for (const agent::Target& t : plan->targets)
        std::ranges::copy(t.answers, std::back_inserter(entry.answers));
  }
  held_head_ = head;
  return held_ = std::move(held);
}

void App::watch_ledger() {
  int64_t told = -1;
  auto last = std::chrono::steady_clock::now();
  while (true) {
    bool changed = false;
    {
      std::unique_lock lock(watcher_mutex_);
      watcher_wakes_.wait_for(lock, kPoll, [&] { return stops_ || changed_; });
      if (stops_) break;
      changed = std::exchange(changed_, false);
    }
    (void)session_.refresh();  // what another process appended; a broken journal shows elsewhere
    const int64_t head = session_.snapshot()->head;
    const auto now = std::chrono::steady_clock::now();
    std::string text;
    if (changed || head != std::exchange(told, head)) {
      Json active = Json::array();
      if (const auto entries = session_.active())
        for (const journal::Entry& e : *entries) active.push_back(e.id);
      text = event("changed", {{"head", std::max<int64_t>(head, 0)}, {"active", active}});
    } else if (now - last >= kKeepAlive) {
      text = ": still here\n\n";
    }
    if (text.empty()) continue;
    last = now;
    const std::lock_guard lock(listeners_mutex_);
    std::erase_if(listeners_, [&](const auto& l) { return !l->write(text); });
  }
  end_events();
}

}  // namespace expunge::server
