#include "server/sieve.h"

#include "server/fields.h"
#include "server/responses.h"
#include "server/scrub.h"

namespace expunge::server {

using base::Json;

namespace {

constexpr size_t kMostEvent = 4 << 20;  // bytes of one
constexpr int64_t kMostChoices = 128;

}  // namespace

Sieve::Sieve(Kind kind, const guard::Scanner& scanner, bool wants_usage)
    : kind_(kind), scanner_(scanner), wants_usage_(wants_usage) {}

std::string Sieve::push(std::string_view bytes) {
  std::string out;
  buffer_ += bytes;
  size_t begin = 0;
  for (size_t end; !is_done_ && (end = buffer_.find('\n', begin)) != buffer_.npos;
       begin = end + 1) {
    std::string_view line(buffer_.data() + begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.starts_with("data:")) continue;  // comments, names of events
    line.remove_prefix(5);
    if (line.starts_with(' ')) line.remove_prefix(1);
    if (line == "[DONE]") {
      out += end_choices();
      out += "data: [DONE]\n\n";
      is_done_ = true;
      break;
    }
    const Json json = Json::parse(line, nullptr, false);
    out += json.is_object() ? read(json) : fail("the upstream sent an event that is not JSON");
  }
  buffer_.erase(0, begin);
  if (buffer_.size() > kMostEvent) out += fail("the upstream sent an event without an end");
  return out;
}

std::string Sieve::end() {
  if (is_done_) return "";
  std::string out = end_choices();
  const bool whole = !choices_.empty() &&
                     std::ranges::all_of(choices_, [](const auto& c) { return c.second.is_over; });
  return out + (whole ? "data: [DONE]\n\n" : fail("the upstream broke off its answer"));
}

// Text that is still held is checked and said, although nobody said why the reply ends.
std::string Sieve::end_choices() {
  std::string out;
  for (auto& [index, choice] : choices_)
    if (!choice.is_over) out += say(index, choice, choice.window.end());
  return out;
}

std::string Sieve::fail(const std::string& message) {
  if (is_done_) return "";
  is_done_ = true;
  return "data: " + refusal(502, message).body + "\n";
}

Json Sieve::frame() const {
  return {{"id", id_},
          {"object", kind_ == Kind::kChat ? "chat.completion.chunk" : "text_completion"},
          {"created", created_},
          {"model", model_},
          {"choices", Json::array()}};
}

std::string Sieve::chunk(int64_t index, Json said, Json reason) {
  said["index"] = index;
  said["logprobs"] = nullptr;
  said["finish_reason"] = std::move(reason);
  Json json = frame();
  json["choices"].push_back(std::move(said));
  if (!own_.is_null()) json["expunge"] = std::exchange(own_, nullptr);
  return event("", json);
}

std::string Sieve::say(int64_t index, Choice& choice, const std::string& text) {
  std::string out;
  if (kind_ == Kind::kChat && !std::exchange(choice.has_begun, true))
    out += chunk(index, {{"delta", {{"role", "assistant"}, {"content", ""}}}});
  if (!choice.window.hits().empty()) return out + decline(index, choice, choice.window.hits());
  if (text.empty()) return out;
  if (kind_ == Kind::kText) return out + chunk(index, {{"text", text}});
  return out + chunk(index, {{"delta", {{"content", text}}}});
}

std::string Sieve::decline(int64_t index, Choice& choice, const std::vector<guard::Hit>& hits) {
  was_touched_ = choice.is_over = true;
  const std::string words = decline_words(scanner_, hits);
  if (kind_ == Kind::kText)
    return chunk(index, {{"text", words}}) + chunk(index, {{"text", ""}}, "stop");
  return chunk(index, {{"delta", {{"content", words}}}}) +
         chunk(index, {{"delta", Json::object()}}, "stop");
}

std::string Sieve::read(const Json& json) {
  if (json.contains("error")) {
    std::string message = "the upstream failed";
    if (json["error"].is_object()) {
      const std::string theirs = text_of(json["error"], "message");
      if (!theirs.empty() && !scanner_.touches(theirs)) message = theirs;
    }
    return fail(message);
  }
  if (id_.empty()) {
    const auto clean = [&](std::string text) { return scanner_.touches(text) ? "" : text; };
    id_ = clean(text_of(json, "id")), model_ = clean(text_of(json, "model"));
    if (const Json* c = given(json, "created"); c && c->is_number_integer()) created_ = *c;
  }
  if (const Json* own = given(json, "expunge"); own && !scanner_.touches(words_of(*own)))
    own_ = *own;
  std::string out;
  if (const Json* choices = given(json, "choices"); choices && choices->is_array())
    for (const Json& choice : *choices)
      if (choice.is_object()) read_choice(choice, out);
  if (const auto usage = clean_usage(json); wants_usage_ && usage) {
    Json last = frame();
    last["usage"] = *usage;
    out += event("", last);
  }
  return out;
}

void Sieve::read_choice(const Json& json, std::string& out) {
  const Json* given_index = given(json, "index");
  const int64_t index =
      given_index && given_index->is_number_integer() ? given_index->get<int64_t>() : 0;
  if (index < 0 || index >= kMostChoices) return;
  Choice& choice = choices_.try_emplace(index, Choice{guard::Window(scanner_)}).first->second;
  if (choice.is_over) return;
  std::string text = text_of(json, "text");
  if (const Json* delta = given(json, "delta");
      kind_ == Kind::kChat && delta && delta->is_object()) {
    text = text_of(*delta, "content") + text_of(*delta, "refusal");
    if (const Json* calls = given(*delta, "tool_calls"); calls && calls->is_array())
      for (const Json& call : *calls) {
        if (!call.is_object()) continue;
        const Json* at = given(call, "index");
        Call& c = choice.calls[at && at->is_number_integer() ? at->get<int64_t>() : 0];
        c.id += text_of(call, "id");
        if (const Json* function = given(call, "function"); function && function->is_object()) {
          c.name += text_of(*function, "name");
          c.arguments += text_of(*function, "arguments");
        }
      }
  }
  if (!text.empty()) {
    choice.said += text;
    out += say(index, choice, choice.window.push(text));
  }
  if (const std::string reason = text_of(json, "finish_reason"); !reason.empty() && !choice.is_over)
    out += finish(index, choice, reason);
}

std::string Sieve::finish(int64_t index, Choice& choice, const std::string& reason) {
  std::string out = say(index, choice, choice.window.end());
  if (choice.is_over) return out;
  if (!choice.calls.empty()) {
    Json calls = Json::array();
    std::string words = choice.said;
    for (const auto& [at, call] : choice.calls) {
      words += "\n" + call.id + "\n" + call.name + "\n" + call.arguments;
      calls.push_back({{"index", at},
                       {"id", call.id},
                       {"type", "function"},
                       {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
    }
    if (const auto hits = scanner_.scan(words); !hits.empty())
      return out + decline(index, choice, hits);
    out += chunk(index, {{"delta", {{"tool_calls", std::move(calls)}}}});
  }
  choice.is_over = true;
  Json last = kind_ == Kind::kChat ? Json{{"delta", Json::object()}} : Json{{"text", ""}};
  return out + chunk(index, std::move(last), scanner_.touches(reason) ? "stop" : reason);
}

}  // namespace expunge::server
