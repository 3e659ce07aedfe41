#include "server/scrub.h"

#include <algorithm>

#include "server/fields.h"
#include "server/responses.h"

namespace expunge::server {

using base::Code;
using base::Json;
using base::Result;

namespace {

void collect(const Json& json, std::string& words) {
  if (json.is_string()) {
    words += json.get_ref<const std::string&>() + "\n";
  } else if (json.is_array()) {
    for (const Json& item : json) collect(item, words);
  } else if (json.is_object()) {
    for (const auto& [name, value] : json.items()) {
      words += name + "\n";
      collect(value, words);
    }
  }
}

// Pictures and sounds: no words for the scanner, and much of it.
bool is_media(const Json& value) {
  if (!value.is_string()) return false;
  const auto& text = value.get_ref<const std::string&>();
  return std::ranges::any_of(
      std::initializer_list<std::string_view>{"data:image/", "data:audio/", "data:video/"},
      [&](std::string_view kind) { return text.starts_with(kind); });
}

// Texts of a message's parts go on with one another: a name may be put together from them.
void collect_content(const Json& content, std::string& texts, std::string& others) {
  if (content.is_string()) texts += content.get_ref<const std::string&>();
  if (!content.is_array()) return;
  for (const Json& part : content) {
    if (!part.is_object()) {
      collect(part, texts);
      continue;
    }
    for (const auto& [name, value] : part.items())
      if (name == "text" && value.is_string())
        texts += value.get_ref<const std::string&>();
      else if (name != "image_url" || !value.is_object() || !is_media(value.value("url", Json())))
        collect(value, others);
  }
}

// A call's known fields, in a whole reply.
Json clean_calls(const Json& calls) {
  Json clean = Json::array();
  for (const Json& call : calls) {
    if (!call.is_object()) continue;
    const Json* function = given(call, "function");
    if (!function || !function->is_object()) continue;
    clean.push_back(
        {{"id", text_of(call, "id")},
         {"type", "function"},
         {"function",
          {{"name", text_of(*function, "name")}, {"arguments", text_of(*function, "arguments")}}}});
  }
  return clean;
}

Json clean_message(const Json& message) {
  const Json* content = given(message, "content");
  Json clean = {{"role", "assistant"}, {"content", nullptr}};
  if (content && content->is_string()) clean["content"] = *content;
  if (const Json* refusal = given(message, "refusal"); refusal && refusal->is_string())
    clean["content"] = content && content->is_string()
                           ? content->get<std::string>() + refusal->get<std::string>()
                           : refusal->get<std::string>();
  if (const Json* calls = given(message, "tool_calls"); calls && calls->is_array())
    clean["tool_calls"] = clean_calls(*calls);
  return clean;
}

Json chunk_of(const Json& clean, const char* object, Json choice) {
  return {{"id", clean["id"]},
          {"object", object},
          {"created", clean["created"]},
          {"model", clean["model"]},
          {"choices", Json::array({std::move(choice)})}};
}

}  // namespace

std::string words_of(const Json& json) {
  std::string words;
  collect(json, words);
  return words;
}

std::string words_of_request(const Json& body) {
  std::string words, contents, users;
  for (const auto& [name, value] : body.items())
    if (name != "model" && name != "messages") collect(value, words);
  for (const Json& message : body.value("messages", Json::array())) {
    if (!message.is_object()) {
      collect(message, words);
      continue;
    }
    std::string content;
    for (const auto& [name, value] : message.items())
      if (name == "content")
        collect_content(value, content, words);
      else
        collect(value, words);
    contents += content + "\n";
    if (text_of(message, "role") == "user") users += content + "\n";
  }
  return words + contents + (users == contents ? "" : users);
}

std::string query_of(Kind kind, const Json& body) {
  if (kind == Kind::kText) return words_of(body.value("prompt", Json()));
  const Json messages = body.value("messages", Json::array());
  for (auto m = messages.rbegin(); m != messages.rend(); ++m)
    if (m->is_object() && m->value("role", Json()) == "user")
      return words_of(m->value("content", Json()));
  return "";
}

void drop_touched_turns(Json& body, const guard::Scanner& scanner) {
  Json* messages = body.contains("messages") ? &body["messages"] : nullptr;
  if (!messages || !messages->is_array() || messages->size() < 2) return;
  const auto role = [&](size_t i) {
    return (*messages)[i].is_object() ? text_of((*messages)[i], "role") : "";
  };
  std::vector<bool> drops(messages->size());
  for (size_t i = 0; i + 1 < messages->size(); ++i) {
    const std::string who = role(i);
    if (who != "user" && who != "assistant") continue;
    if (!scanner.touches(words_of((*messages)[i]))) continue;
    drops[i] = true;
    if (who == "user" && role(i + 1) == "assistant") drops[i + 1] = true;
    if (who == "assistant" && i > 0 && role(i - 1) == "user") drops[i - 1] = true;
  }
  Json kept = Json::array();
  for (size_t i = 0; i < messages->size(); ++i)
    if (!drops[i]) kept.push_back(std::move((*messages)[i]));
  *messages = std::move(kept);
}

Result<Json> forwarded(Kind kind, const Json& body) {
  Json out = body;
  for (const char* name : {"logprobs", "top_logprobs", "echo", "best_of"}) out.erase(name);
  if (kind == Kind::kText) {
    const Json prompt = body.value("prompt", Json());
    const bool readable =
        prompt.is_string() || (prompt.is_array() && std::ranges::all_of(prompt, [](const Json& p) {
                                 return p.is_string();
                               }));
    if (!readable)
      return wrong("prompt", prompt, "a text or a list of texts: token ids cannot be read here");
  } else if (!body.contains("messages") || !body["messages"].is_array() ||
             body["messages"].empty()) {
    return base::fail(Code::kInvalid, "'messages' is missing: a list of role and content");
  }
  if (TRY(bool_field(body, "stream", false)))
    out["stream_options"] = {{"include_usage", true}};
  else
    out.erase("stream_options");
  return out;
}

std::optional<Json> clean_usage(const Json& reply) {
  const Json* usage = given(reply, "usage");
  if (!usage || !usage->is_object()) return std::nullopt;
  Json clean = Json::object();
  for (const char* name : {"prompt_tokens", "completion_tokens", "total_tokens"})
    if (const Json* n = given(*usage, name); n && n->is_number_integer()) clean[name] = *n;
  return clean;
}

Result<Json> clean_reply(Kind kind, const Json& reply) {
  const auto broken = [] {
    return base::fail(Code::kUnavailable, "the upstream's answer is not a completion");
  };
  if (!reply.is_object()) return broken();
  const Json* choices = given(reply, "choices");
  if (!choices || !choices->is_array() || choices->empty()) return broken();
  Json clean = {{"id", text_of(reply, "id")},
                {"object", kind == Kind::kChat ? "chat.completion" : "text_completion"},
                {"created", reply.value("created", Json(0))},
                {"model", text_of(reply, "model")},
                {"choices", Json::array()}};
  if (!clean["created"].is_number_integer()) clean["created"] = 0;
  for (const Json& choice : *choices) {
    if (!choice.is_object()) return broken();
    Json c = {{"index", clean["choices"].size()}, {"logprobs", nullptr}};
    if (kind == Kind::kChat) {
      const Json* message = given(choice, "message");
      if (!message || !message->is_object()) return broken();
      c["message"] = clean_message(*message);
    } else {
      c["text"] = text_of(choice, "text");
    }
    const std::string reason = text_of(choice, "finish_reason");
    c["finish_reason"] = reason.empty() ? "stop" : reason;
    clean["choices"].push_back(std::move(c));
  }
  if (const Json* own = given(reply, "expunge"))
    clean["expunge"] = *own;  // a plan, of this program
  if (const auto usage = clean_usage(reply)) clean["usage"] = *usage;
  return clean;
}

Json with_text(Kind kind, Json clean, const std::string& text, size_t n) {
  Json choices = Json::array();
  for (size_t i = 0; i < n; ++i) {
    Json c = {{"index", i}, {"logprobs", nullptr}, {"finish_reason", "stop"}};
    if (kind == Kind::kChat)
      c["message"] = {{"role", "assistant"}, {"content", text}};
    else
      c["text"] = text;
    choices.push_back(std::move(c));
  }
  clean["choices"] = std::move(choices);
  clean.erase("expunge");
  return clean;
}

std::string as_stream(Kind kind, const Json& clean, bool wants_usage) {
  const bool is_chat = kind == Kind::kChat;
  const char* object = is_chat ? "chat.completion.chunk" : "text_completion";
  std::string stream;
  for (const Json& choice : clean["choices"]) {
    Json said = {{"index", choice["index"]}, {"logprobs", nullptr}, {"finish_reason", nullptr}};
    if (is_chat) {
      said["delta"] = choice["message"];
      size_t index = 0;
      if (said["delta"].contains("tool_calls"))
        for (Json& call : said["delta"]["tool_calls"]) call["index"] = index++;
    } else {
      said["text"] = choice["text"];
    }
    stream += event("", chunk_of(clean, object, std::move(said)));
    Json last = {{"index", choice["index"]},
                 {"logprobs", nullptr},
                 {"finish_reason", choice["finish_reason"]}};
    if (is_chat)
      last["delta"] = Json::object();
    else
      last["text"] = "";
    Json chunk = chunk_of(clean, object, std::move(last));
    if (clean.contains("expunge")) chunk["expunge"] = clean["expunge"];
    stream += event("", chunk);
  }
  if (wants_usage && clean.contains("usage")) {
    Json usage = chunk_of(clean, object, Json());
    usage["choices"] = Json::array();
    usage["usage"] = clean["usage"];
    stream += event("", usage);
  }
  return stream + "data: [DONE]\n\n";
}

std::string decline_words(const guard::Scanner& scanner, const std::vector<guard::Hit>& hits) {
  for (const guard::Hit& hit : hits)
    if (scanner.targets()[hit.target].mode == guard::Mode::kIdk)
      return "I'm sorry, but I don't know.";
  return "I'm sorry, but I can't help with that.";
}

}  // namespace expunge::server
