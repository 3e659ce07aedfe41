#include "server/openai.h"

#include <cmath>
#include <random>

#include "server/fields.h"

namespace expunge::server {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::Status;
using service::Completed;
using service::CompletionOptions;
using service::Ended;
using service::Piece;
using service::TokenScore;

namespace {

constexpr size_t kMostChoices = 16, kMostPrompts = 256, kMostStops = 16, kMostTop = 20;
constexpr int64_t kMostTokens = 1 << 20;

// Fields that would change the reply, with the values that would not.
Status check_neutral(const Json& body) {
  const auto refuse = [](const char* name, const char* only) {
    return fail(Code::kInvalid, fmt::format("'{}' is not supported", name),
                fmt::format("leave it out or give {}", only));
  };
  for (const char* name : {"frequency_penalty", "presence_penalty"})
    if (const Json* v = given(body, name); v && !(v->is_number() && v->get<double>() == 0))
      return refuse(name, "0");
  if (const Json* v = given(body, "logit_bias"); v && !v->empty())
    return refuse("logit_bias", "{}");
  if (const Json* v = given(body, "suffix"); v && *v != "") return refuse("suffix", "\"\"");
  if (const Json* v = given(body, "best_of"); v && *v != body.value("n", Json(1)))
    return refuse("best_of", "the value of n");
  if (const Json* v = given(body, "response_format");
      v && !(v->is_object() && v->value("type", Json()) == "text"))
    return refuse("response_format", "{\"type\": \"text\"}");
  if (const Json* v = given(body, "tool_choice"); v && *v != "auto" && *v != "none")
    return refuse("tool_choice", "\"auto\" or \"none\"");
  for (const char* name : {"functions", "audio", "prediction", "web_search_options"})
    if (given(body, name)) return refuse(name, "nothing");
  return {};
}

Result<std::vector<std::string>> parse_stop(const Json& body) {
  std::vector<std::string> stop;
  const Json* v = given(body, "stop");
  if (!v) return stop;
  const Json list = v->is_array() ? *v : Json::array({*v});
  if (list.size() > kMostStops)
    return fail(Code::kInvalid, fmt::format("'stop' has {} strings, at most {} are taken",
                                            list.size(), kMostStops));
  for (const Json& s : list) {
    if (!s.is_string()) return wrong("stop", s, "a string or a list of strings");
    if (!s.get<std::string>().empty()) stop.push_back(s.get<std::string>());
  }
  return stop;
}

Result<std::optional<std::vector<int64_t>>> parse_entries(const Json& body) {
  const Json* v = given(body, "expunge_entries");
  if (!v || *v == "all") return std::nullopt;
  std::vector<int64_t> entries;
  if (*v == "none") return entries;
  const auto bad = [&] {
    return wrong("expunge_entries", *v, "a list of entry numbers, \"none\" or \"all\"");
  };
  if (!v->is_array() || v->size() > 1000) return bad();
  for (const Json& id : *v) {
    if (!id.is_number_integer()) return bad();
    entries.push_back(id.get<int64_t>());
  }
  return entries;
}

Status parse_common(const Json& body, Ask& ask) {
  if (!body.is_object()) return wrong("the body", body, "a JSON object");
  TRY(check_neutral(body));
  ask.model = TRY(string_field(body, "model", ""));
  ask.stream = TRY(bool_field(body, "stream", false));
  if (const Json* v = given(body, "stream_options")) {
    if (!v->is_object()) return wrong("stream_options", *v, "an object");
    ask.include_usage = TRY(bool_field(*v, "include_usage", false));
  }
  ask.n = static_cast<size_t>(TRY(integer_field(body, "n", 1, 1, kMostChoices)));
  auto& sampling = ask.options.sampling;
  sampling.temperature = TRY(number_field(body, "temperature", 0, 0, 100));
  sampling.top_p = TRY(number_field(body, "top_p", 1, 0, 1));
  if (sampling.top_p == 0) sampling.top_p = 1e-9;  // the likeliest alone
  sampling.top_k = TRY(integer_field(body, "top_k", 0, 0, 1 << 24));
  sampling.min_p = TRY(number_field(body, "min_p", 0, 0, 1));
  sampling.repetition_penalty = TRY(number_field(body, "repetition_penalty", 1, 0.01, 100));
  sampling.seed =
      given(body, "seed")
          ? static_cast<uint64_t>(TRY(integer_field(body, "seed", 0, INT64_MIN, INT64_MAX)))
          : std::random_device()();
  ask.options.stop = TRY(parse_stop(body));
  ask.entries = TRY(parse_entries(body));
  return {};
}

// A content is a text, or a list of parts of which only texts can be read.
Result<std::string> parse_content(const Json& message, const std::string& where) {
  const Json* content = given(message, "content");
  if (!content) return std::string();
  if (content->is_string()) return content->get<std::string>();
  if (!content->is_array()) return wrong(where + ".content", *content, "a text or a list of parts");
  std::string text;
  for (const Json& part : *content) {
    if (!part.is_object() || part.value("type", Json()) != "text" ||
        !part.value("text", Json()).is_string())
      return fail(Code::kInvalid, where + ".content has a part that is no text",
                  "this model reads text only");
    text += part["text"].get<std::string>();
  }
  return text;
}

Result<text::Message> parse_message(const Json& json, const std::string& where) {
  if (!json.is_object()) return wrong(where, json, "an object");
  text::Message message;
  message.role = TRY_AT(where, string_field(json, "role", ""));
  if (message.role == "developer") message.role = "system";
  if (message.role != "system" && message.role != "user" && message.role != "assistant" &&
      message.role != "tool")
    return wrong(where + ".role", json.value("role", Json()),
                 "system, developer, user, assistant or tool");
  message.content = TRY(parse_content(json, where));
  if (const Json* calls = given(json, "tool_calls")) {
    if (!calls->is_array() || message.role != "assistant")
      return wrong(where + ".tool_calls", *calls, "a list, of the assistant");
    message.tool_calls = base::dump_json(*calls);
  } else if (!given(json, "content")) {
    return fail(Code::kInvalid, where + ".content is missing");
  }
  return message;
}

Result<std::vector<TextPrompt>> parse_prompts(const Json& body) {
  const Json* v = given(body, "prompt");
  if (!v) return fail(Code::kInvalid, "'prompt' is missing");
  const auto is_ids = [](const Json& j) {
    return j.is_array() && !j.empty() &&
           std::ranges::all_of(j, [](const Json& id) { return id.is_number_integer(); });
  };
  const auto one = [&](const Json& j) -> Result<TextPrompt> {
    if (j.is_string()) return j.get<std::string>();
    if (!is_ids(j)) return wrong("prompt", j, "texts or lists of token ids");
    std::vector<int32_t> ids;
    for (const Json& id : j) {
      const auto n = id.get<int64_t>();
      if (n < 0 || n > INT32_MAX) return wrong("prompt", id, "token ids");
      ids.push_back(static_cast<int32_t>(n));
    }
    return ids;
  };
  std::vector<TextPrompt> prompts;
  if (v->is_string() || is_ids(*v)) {
    prompts.push_back(TRY(one(*v)));
  } else {
    if (!v->is_array() || v->empty() || v->size() > kMostPrompts)
      return wrong("prompt", *v, fmt::format("1 to {} texts or lists of token ids", kMostPrompts));
    for (const Json& j : *v) prompts.push_back(TRY(one(j)));
  }
  return prompts;
}

const char* finish_reason(const Completed& c) {
  return c.ended == Ended::kLength ? "length" : "stop";
}

Json bytes_json(const std::string& text) {
  Json bytes = Json::array();
  for (const unsigned char b : text) bytes.push_back(b);
  return bytes;
}

// JSON has no infinity: the least number that clients accept.
double finite(double log_prob) { return std::max(log_prob, -9999.0); }

}  // namespace

Result<ChatAsk> parse_chat(const Json& body) {
  ChatAsk ask;
  TRY(parse_common(body, ask));
  const char* length =
      given(body, "max_completion_tokens") ? "max_completion_tokens" : "max_tokens";
  ask.options.max_new_tokens = TRY(integer_field(body, length, 1024, 1, kMostTokens));
  const Json* messages = given(body, "messages");
  if (!messages || !messages->is_array() || messages->empty())
    return wrong("messages", messages ? *messages : Json(), "a list of at least one message");
  for (size_t i = 0; i < messages->size(); ++i)
    ask.messages.push_back(TRY(parse_message((*messages)[i], fmt::format("messages[{}]", i))));
  if (TRY(bool_field(body, "logprobs", false)))
    ask.options.n_top =
        static_cast<size_t>(TRY(integer_field(body, "top_logprobs", 0, 0, kMostTop)));
  else if (given(body, "top_logprobs"))
    return fail(Code::kInvalid, "'top_logprobs' needs \"logprobs\": true");
  if (const Json* tools = given(body, "tools");
      tools && body.value("tool_choice", Json()) != "none") {
    if (!tools->is_array()) return wrong("tools", *tools, "a list");
    if (!tools->empty()) ask.tools = base::dump_json(*tools);
  }
  if (const Json* own = given(body, "expunge")) {
    if (!own->is_object()) return wrong("expunge", *own, "an object");
    ask.reads = TRY(bool_field(*own, "read", true));
    ask.agreed = TRY(bool_field(*own, "yes", false));
  }
  return ask;
}

Result<TextAsk> parse_text(const Json& body) {
  TextAsk ask;
  TRY(parse_common(body, ask));
  ask.prompts = TRY(parse_prompts(body));
  if (given(body, "logprobs"))
    ask.options.n_top = static_cast<size_t>(TRY(integer_field(body, "logprobs", 0, 0, kMostTop)));
  const bool echo = TRY(bool_field(body, "echo", false));
  // With an echo nothing need be written.
  ask.options.max_new_tokens =
      TRY(integer_field(body, "max_tokens", 16, echo ? 0 : 1, kMostTokens));
  using Echo = CompletionOptions::Echo;
  if (echo) ask.options.echo = ask.options.max_new_tokens == 0 ? Echo::kOnly : Echo::kYes;
  return ask;
}

Replies::Replies(Kind kind, std::string id, int64_t created, std::string model, const Ask& ask)
    : kind_(kind),
      id_(std::move(id)),
      created_(created),
      model_(std::move(model)),
      n_(ask.n),
      scored_(ask.options.n_top.has_value()) {}

Json Replies::frame(const char* object) const {
  return {{"id", id_},
          {"object", object},
          {"created", created_},
          {"model", model_},
          {"system_fingerprint", nullptr},
          {"choices", Json::array()}};
}

// Of a chat, a list of tokens; of a text, four lists.
Json Replies::scores(Choice& choice, const std::vector<TokenScore>& tokens) const {
  if (kind_ == Kind::kChat) {
    Json content = Json::array();
    for (const TokenScore& t : tokens) {
      Json top = Json::array();
      for (const auto& [text, log_prob] : t.top)
        top.push_back(
            {{"token", text}, {"logprob", finite(log_prob)}, {"bytes", bytes_json(text)}});
      content.push_back({{"token", t.text},
                         {"logprob", finite(t.log_prob.value_or(0))},
                         {"bytes", bytes_json(t.text)},
                         {"top_logprobs", std::move(top)}});
    }
    return {{"content", std::move(content)}, {"refusal", nullptr}};
  }
  Json json = {{"tokens", Json::array()},
               {"token_logprobs", Json::array()},
               {"top_logprobs", Json::array()},
               {"text_offset", Json::array()}};
  for (const TokenScore& t : tokens) {
    json["tokens"].push_back(t.text);
    json["token_logprobs"].push_back(t.log_prob ? Json(finite(*t.log_prob)) : Json());
    Json top = Json::object();
    for (const auto& [text, log_prob] : t.top)
      if (!top.contains(text)) top[text] = finite(log_prob);
    json["top_logprobs"].push_back(t.log_prob ? std::move(top) : Json());
    json["text_offset"].push_back(choice.offset);
    choice.offset += t.text.size();
  }
  return json;
}

Json Replies::first(size_t choice) const {
  Json json = frame("chat.completion.chunk");
  json["choices"].push_back({{"index", choice},
                             {"delta", {{"role", "assistant"}, {"content", ""}}},
                             {"logprobs", nullptr},
                             {"finish_reason", nullptr}});
  return json;
}

Json Replies::chunk(size_t choice, const Piece& piece) {
  choices_.resize(std::max(choices_.size(), choice + 1));
  Json scored = scored_ && !piece.tokens.empty() ? scores(choices_[choice], piece.tokens) : Json();
  Json json = frame(kind_ == Kind::kChat ? "chat.completion.chunk" : "text_completion");
  Json c = {{"index", choice}};
  if (kind_ == Kind::kChat)
    c["delta"] = {{"content", piece.text}};
  else
    c["text"] = piece.text;
  c["logprobs"] = std::move(scored);
  c["finish_reason"] = nullptr;
  json["choices"].push_back(std::move(c));
  return json;
}

Json Replies::last(size_t choice, const Completed& completed) const {
  Json json = frame(kind_ == Kind::kChat ? "chat.completion.chunk" : "text_completion");
  Json c = {{"index", choice}};
  if (kind_ == Kind::kChat)
    c["delta"] = Json::object();
  else
    c["text"] = "";
  c["logprobs"] = nullptr;
  c["finish_reason"] = finish_reason(completed);
  json["choices"].push_back(std::move(c));
  return json;
}

void Replies::collect(size_t choice, Piece piece) {
  choices_.resize(std::max(choices_.size(), choice + 1));
  Choice& c = choices_[choice];
  c.text += piece.text;
  std::ranges::move(piece.tokens, std::back_inserter(c.tokens));
}

void Replies::end(size_t choice, const Completed& completed) {
  choices_.resize(std::max(choices_.size(), choice + 1));
  choices_[choice].completed = completed;
}

Json usage_json(size_t prompt_tokens, size_t written_tokens) {
  return {{"prompt_tokens", prompt_tokens},
          {"completion_tokens", written_tokens},
          {"total_tokens", prompt_tokens + written_tokens}};
}

Json Replies::usage_chunk() const {
  Json json = frame(kind_ == Kind::kChat ? "chat.completion.chunk" : "text_completion");
  size_t prompt = 0, written = 0;
  for (size_t i = 0; i < choices_.size(); ++i) {
    if (!choices_[i].completed) continue;
    if (i % n_ == 0) prompt += choices_[i].completed->prompt_tokens;  // once for all its choices
    written += choices_[i].completed->written_tokens;
  }
  json["usage"] = usage_json(prompt, written);
  return json;
}

Json Replies::body() const {
  Json json = frame(kind_ == Kind::kChat ? "chat.completion" : "text_completion");
  for (size_t i = 0; i < choices_.size(); ++i) {
    Choice choice = choices_[i];
    Json c = {{"index", i}};
    if (kind_ == Kind::kChat)
      c["message"] = {{"role", "assistant"}, {"content", choice.text}, {"refusal", nullptr}};
    else
      c["text"] = choice.text;
    c["logprobs"] = scored_ ? scores(choice, choices_[i].tokens) : Json();
    c["finish_reason"] = choice.completed ? Json(finish_reason(*choice.completed)) : Json();
    json["choices"].push_back(std::move(c));
  }
  json["usage"] = usage_chunk()["usage"];
  return json;
}

Json error_json(const base::Error& error, int status) {
  const char* type = status == 401   ? "authentication_error"
                     : status == 403 ? "permission_error"
                     : status == 404 ? "not_found_error"
                     : status == 409 ? "conflict_error"
                     : status == 429 ? "rate_limit_error"
                     : status >= 500 ? "server_error"
                                     : "invalid_request_error";
  std::string message = error.message;
  for (const std::string& where : error.trail) message = where + ": " + message;
  return {{"error",
           {{"message", message},
            {"type", type},
            {"param", nullptr},
            {"code", base::code_info(error.code).name},
            {"hint", error.hint}}}};
}

}  // namespace expunge::server
