// The bodies of OpenAI's chat completions and completions: requests to values, values to bodies.
// Fields that would change the reply and cannot be honoured are refused by name; what clients send
// besides is ignored. https://platform.openai.com/docs/api-reference
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/json.h"
#include "service/completion.h"
#include "text/message.h"

namespace expunge::server {

// What both kinds share.
struct Ask {
  std::string model;  // "" = whichever is served
  service::CompletionOptions options;
  size_t n = 1;  // replies to each prompt
  bool stream = false, include_usage = false;
  // Which edits hold; nothing = all that are active.
  std::optional<std::vector<int64_t>> entries = {};
};
struct ChatAsk : Ask {
  std::vector<text::Message> messages;
  std::string tools;    // JSON array for the template; "" = none
  bool reads = true;    // "expunge": {"read": false}: the message is for the model in any case
  bool agreed = false;  // "expunge": {"yes": true}: what is asked for is carried out at once
};
using TextPrompt = std::variant<std::string, std::vector<int32_t>>;
struct TextAsk : Ask {
  std::vector<TextPrompt> prompts;
};
// Errors: kInvalid, naming the field.
base::Result<ChatAsk> parse_chat(const base::Json& body);
base::Result<TextAsk> parse_text(const base::Json& body);

// One request's replies, as chunks of a stream or collected in one body.
enum class Kind { kChat, kText };
class Replies {
 public:
  Replies(Kind kind, std::string id, int64_t created, std::string model, const Ask& ask);

  // Chunks of a stream. `first`: announces the assistant.
  base::Json first(size_t choice) const;
  base::Json chunk(size_t choice, const service::Piece& piece);
  base::Json last(size_t choice, const service::Completed& completed) const;
  base::Json usage_chunk() const;
  // The body, once all have ended.
  void collect(size_t choice, service::Piece piece);
  void end(size_t choice, const service::Completed& completed);
  base::Json body() const;

 private:
  struct Choice {
    std::string text;
    std::vector<service::TokenScore> tokens;
    std::optional<service::Completed> completed;
    size_t offset = 0;  // bytes of text before the next token, for text_offset
  };
  base::Json frame(const char* object) const;
  base::Json scores(Choice& choice, const std::vector<service::TokenScore>& tokens) const;
  Kind kind_;
  std::string id_;
  int64_t created_;
  std::string model_;
  size_t n_;  // choices of each prompt
  bool scored_;
  std::vector<Choice> choices_;
};

base::Json usage_json(size_t prompt_tokens, size_t written_tokens);
// {"error": {message, type, code, hint, param}}.
base::Json error_json(const base::Error& error, int status);

}  // namespace expunge::server
