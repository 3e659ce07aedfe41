// Conversations to prompts, by the model's own Jinja template.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "text/message.h"
#include "text/tokenizer.h"

namespace expunge::text {

enum class AddGenerationPrompt { kNo, kYes };

class ChatTemplate {
 public:
  // Whether it is the model's own, or the turns of a model without one.
  enum class Form { kModels, kPlain };

  // Errors: the template is not valid Jinja, or above 1 MiB.
  static base::Result<ChatTemplate> compile(std::string_view source, std::string bos_token,
                                            std::string eos_token);
  // compile, and a look at how it wants a message: as text, or as a list of parts. Errors: also
  // kUnsupported, if it prints the words of a user in neither form.
  static base::Result<ChatTemplate> for_chat(std::string_view source, std::string bos_token,
                                             std::string eos_token);
  static ChatTemplate plain();
  Form form() const { return form_; }
  // Errors: the template raised one ("roles must alternate"), or took more steps or wrote more
  // (64 MiB) than is allowed.
  // `tools`: a JSON array of what the assistant may call, "" = none; most templates of chat models
  // print it.
  base::Result<std::string> render(std::span<const Message> messages, AddGenerationPrompt,
                                   std::string_view tools = {}) const;

 private:
  struct Free {
    void operator()(void* handle) const;
  };
  enum class Content { kText, kParts };
  std::shared_ptr<void> handle_;  // immutable: copies share it
  Form form_ = Form::kModels;
  Content content_ = Content::kText;
  std::string bos_token_, eos_token_;
};

// A rendered conversation as ids. Special tokens in the messages' contents are text.
struct EncodedChat {
  std::string text;                 // as rendered
  Encoding tokens;                  // over text
  std::vector<ByteRange> contents;  // of each message within text; empty if the template hid it

  // Tokens that overlap the byte range.
  std::vector<int64_t> tokens_in(ByteRange range) const;
};
// `prefill` is put after the generation prompt: the beginning of the assistant's answer.
base::Result<EncodedChat> encode_chat(const Tokenizer& tokenizer, const ChatTemplate& chat,
                                      std::span<const Message> messages, AddGenerationPrompt,
                                      std::string_view prefill = {}, std::string_view tools = {});

}  // namespace expunge::text
