#include "server/guard_script.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>

#include "base/utf8.h"
#include "server/responses.h"
#include "server/scrub.h"

namespace expunge::server {

using base::Code;
using base::Json;
using base::Result;

namespace {

bool streams(Channel c) {
  return c == Channel::kStream || c == Channel::kStreamedCall || c == Channel::kStreamedText;
}
bool is_text(Channel c) { return c == Channel::kText || c == Channel::kStreamedText; }
bool is_call(Channel c) { return c == Channel::kCall || c == Channel::kStreamedCall; }

// Escaped, as some servers write them: a guard must read what the client will.
std::string arguments_of(const std::string& text) {
  return Json{{"query", text}}.dump(-1, ' ', true, Json::error_handler_t::replace);
}

Json call_of(const std::string& arguments) {
  return Json::array({{{"index", 0},
                       {"id", "call_1"},
                       {"type", "function"},
                       {"function", {{"name", "look_up"}, {"arguments", arguments}}}}});
}

Json framed(const char* object, Json choices) {
  return {{"id", "x-1"},
          {"object", object},
          {"created", 1},
          {"model", "scripted"},
          {"choices", std::move(choices)}};
}

// A few characters at a time; a model's tokens are whole characters.
std::vector<std::string> in_pieces(const std::string& text, Dice& dice) {
  std::vector<std::string> pieces;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    for (size_t n = 1 + dice.below(9); n > 0 && end < text.size(); --n)
      end += std::max<size_t>(base::char_at(text, end).size, 1);
    pieces.push_back(text.substr(at, end - at));
    at = end;
  }
  return pieces;
}

// Takes an answer, whole or in pieces.
class Listener final : public Exchange {
 public:
  using Exchange::Exchange;
  void send(HttpResponse r) override {
    const std::lock_guard lock(mutex_);
    response_ = std::move(r);
    is_over_ = true;
    wakes_.notify_all();
  }
  void begin_stream() override { streamed_ = true; }
  bool write(std::string piece) override {
    const std::lock_guard lock(mutex_);
    response_.body += piece;
    return true;
  }
  void end() override {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
    wakes_.notify_all();
  }
  Result<HttpResponse> wait(bool& streamed) {
    std::unique_lock lock(mutex_);
    while (!wakes_.wait_for(lock, std::chrono::milliseconds(100), [&] { return is_over_; }))
      TRY(job.check());
    streamed = streamed_;
    return response_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable wakes_;
  HttpResponse response_;
  std::atomic<bool> streamed_ = false;
  bool is_over_ = false;
};

// What a client puts together from a stream's events: a body with all they say.
Json put_together(const std::string& stream) {
  Json body = {{"choices", Json::array()}};
  std::map<int64_t, std::pair<std::string, std::string>> choices;  // text, arguments
  for (size_t at = 0; (at = stream.find("data: ", at)) != stream.npos;) {
    at += 6;
    const Json event = Json::parse(stream.substr(at, stream.find('\n', at) - at), nullptr, false);
    if (!event.is_object()) continue;
    if (event.contains("usage")) body["usage"] = event["usage"];
    for (const Json& c : event.value("choices", Json::array())) {
      auto& [text, arguments] = choices[c.value("index", int64_t{0})];
      const Json& delta = c.contains("delta") ? c["delta"] : c;
      for (const char* name : {"content", "text"})
        if (delta.contains(name) && delta[name].is_string()) text += delta[name];
      for (const Json& call : delta.value("tool_calls", Json::array()))
        if (call.contains("function")) arguments += call["function"].value("arguments", "");
    }
  }
  for (const auto& [index, said] : choices)
    body["choices"].push_back(
        {{"message", {{"content", said.first}, {"tool_calls", call_of(said.second)}}}});
  return body;
}

std::string all_said(const Json& body) {
  std::string said;
  for (const Json& c : body.value("choices", Json::array())) {
    const Json message = c.value("message", c);
    for (const char* name : {"content", "text"})
      if (message.contains(name) && message[name].is_string()) said += message[name];
    for (const Json& call : message.value("tool_calls", Json::array())) {
      const std::string arguments = call["function"].value("arguments", "");
      const Json read = Json::parse(arguments, nullptr, false);
      if (!read.is_discarded())
        said += words_of(read);
      else if (!arguments.empty())
        said += arguments;
    }
  }
  return said;
}

}  // namespace

std::string_view name(Channel channel) {
  switch (channel) {
    case Channel::kWhole:
      return "whole reply";
    case Channel::kStream:
      return "stream";
    case Channel::kChoices:
      return "one of three choices";
    case Channel::kCall:
      return "tool call";
    case Channel::kStreamedCall:
      return "streamed tool call";
    case Channel::kText:
      return "completion";
    case Channel::kStreamedText:
      return "streamed completion";
  }
  return "";
}

void ScriptedModel::say(std::string text, Channel channel) {
  const std::lock_guard lock(mutex_);
  text_ = std::move(text);
  channel_ = channel;
}

std::string ScriptedModel::stream(bool is_chat, const std::string& text, bool is_call) {
  const char* object = is_chat ? "chat.completion.chunk" : "text_completion";
  std::string out;
  for (const std::string& piece : in_pieces(is_call ? arguments_of(text) : text, dice_)) {
    Json choice = {{"index", 0}, {"finish_reason", nullptr}};
    if (!is_chat)
      choice["text"] = piece;
    else if (is_call)
      choice["delta"] = {{"tool_calls", call_of(piece)}};
    else
      choice["delta"] = {{"content", piece}};
    out += event("", framed(object, Json::array({std::move(choice)})));
  }
  Json last = {{"index", 0}, {"finish_reason", is_call ? "tool_calls" : "stop"}};
  if (is_chat) last["delta"] = Json::object();
  return out + event("", framed(object, Json::array({std::move(last)}))) + "data: [DONE]\n\n";
}

void ScriptedModel::handle(const HttpRequest& request, Exchange& exchange) {
  ++n_calls_;
  const Json asked = Json::parse(request.body, nullptr, false);
  const bool is_chat = request.path == "/v1/chat/completions";
  std::vector<std::string> pieces;
  Json body;
  {
    const std::lock_guard lock(mutex_);
    if (asked.value("stream", false)) {
      // The bytes of events are cut anywhere, as a network does.
      const std::string bytes = stream(is_chat, text_, is_call(channel_));
      for (size_t at = 0; at < bytes.size();) {
        pieces.push_back(bytes.substr(at, 1 + dice_.below(400)));
        at += pieces.back().size();
      }
    } else {
      Json choices = Json::array();
      const size_t n = channel_ == Channel::kChoices ? 3 : 1;
      for (size_t i = 0; i < n; ++i) {
        Json c = {{"index", i}, {"finish_reason", "stop"}};
        const std::string& text = i + 1 < n ? "Of course." : text_;
        if (!is_chat)
          c["text"] = text;
        else if (is_call(channel_))
          c["message"] = {{"role", "assistant"},
                          {"content", nullptr},
                          {"tool_calls", call_of(arguments_of(text))}};
        else
          c["message"] = {{"role", "assistant"}, {"content", text}};
        choices.push_back(std::move(c));
      }
      body = framed(is_chat ? "chat.completion" : "text_completion", std::move(choices));
      body["usage"] = {{"prompt_tokens", 8}, {"completion_tokens", 8}, {"total_tokens", 16}};
    }
  }
  if (pieces.empty()) return exchange.send(json_response(body));
  exchange.begin_stream();
  for (std::string& piece : pieces)
    if (!exchange.write(std::move(piece))) break;
  exchange.end();
}

Result<Heard> hear(const Handler& handler, const Json& body, const base::Job& job) {
  const auto listener = std::make_shared<Listener>(job);
  handler({.method = "POST",
           .path = body.contains("prompt") ? "/v1/completions" : "/v1/chat/completions",
           .headers = {{"host", "localhost"}, {"content-type", "application/json"}},
           .body = base::dump_json(body)},
          listener);
  bool streamed = false;
  const HttpResponse response = TRY(listener->wait(streamed));
  const Json reply =
      streamed ? put_together(response.body) : Json::parse(response.body, nullptr, false);
  Heard heard{.status = response.status, .text = ""};
  if (!reply.is_object()) return heard;
  heard.text = all_said(reply);
  if (response.status != 200) heard.text += words_of(reply);
  if (reply.contains("usage")) heard.usage = reply["usage"];
  return heard;
}

Result<Heard> hear(const Handler& handler, const Json& messages, const Json& tools, Channel channel,
                   const base::Job& job) {
  Json body = {{"model", "scripted"}, {"max_tokens", 64}};
  if (streams(channel)) body["stream"] = true;
  if (channel == Channel::kChoices) body["n"] = 3;
  if (is_text(channel)) {
    body["prompt"] = words_of(messages);
  } else {
    body["messages"] = messages;
    if (!tools.is_null()) body["tools"] = tools;
  }
  return hear(handler, body, job);
}

Json user_says(const std::string& text) {
  return Json::array({{{"role", "user"}, {"content", text}}});
}

size_t count_words(std::string_view text) {
  size_t n = 0;
  bool is_in = false;
  for (const char c : text) {
    const bool is_blank = c == ' ' || c == '\n' || c == '\t';
    n += !is_blank && !is_in ? 1 : 0;
    is_in = !is_blank;
  }
  return n;
}

guard::Ask scripted_agents() {
  return [](std::span<const text::Message> messages, const base::Job&) -> Result<guard::Said> {
    size_t words = 0;
    for (const text::Message& m : messages) words += count_words(m.content);
    // How many are wanted is the last word of what they are asked.
    const std::string& asked = messages.back().content;
    size_t n = 1;
    if (const size_t at = asked.find_last_not_of("0123456789"); at + 1 < asked.size())
      n = std::stoul(asked.substr(at + 1));
    Json list = Json::array();
    const bool scores = asked.find("to score") != asked.npos;
    for (size_t i = 0; i < n; ++i)
      list.push_back(scores ? Json{{"privacy", 5}, {"usefulness", 4}}
                            : Json("There is nothing to be said about that."));
    guard::Said said;
    said.text = base::dump_json(list);
    said.prompt_tokens = words;
    said.reply_tokens = count_words(said.text);
    return said;
  };
}

Result<std::unique_ptr<TriedGuard>> TriedGuard::make(const std::string& folder,
                                                     const std::vector<guard::Target>& targets,
                                                     Handler model, guard::Ask agents) {
  std::error_code ignored;
  for (const char* name : {"guard.db", "guard.db-wal", "guard.db-shm", "keys.json"})
    std::filesystem::remove(folder + "/" + name, ignored);
  std::unique_ptr<TriedGuard> guard(new TriedGuard());
  guard::Store store = TRY(guard::Store::open(folder + "/guard.db"));
  TRY(store.import(targets));
  const auto begin = std::chrono::steady_clock::now();
  guard->list_ = TRY(GuardList::open(folder + "/guard.db", "", {}));
  guard->list_->now();
  guard->list_s_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  guard->door_ = std::make_unique<Door>(TRY(service::Keys::open(folder + "/keys.json")), true,
                                        std::vector<std::string>());
  GuardOptions options;
  options.inner = [model = std::move(model)](HttpRequest r, std::shared_ptr<Exchange> e,
                                             service::Scope) { model(std::move(r), std::move(e)); };
  if (agents) options.agents = [agents](const HttpRequest&, const std::string&) { return agents; };
  const bool rewrites = static_cast<bool>(agents);
  guard->guarded_ = std::make_unique<Guarded>(*guard->list_, *guard->door_, std::move(options));
  guard->guarded_->set_rewrites(rewrites);
  return guard;
}

Handler TriedGuard::handler() const {
  return [g = guarded_.get()](HttpRequest r, std::shared_ptr<Exchange> e) {
    g->handle(std::move(r), std::move(e));
  };
}

}  // namespace expunge::server
