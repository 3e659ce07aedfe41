// The text side of a model: its tokenizer and its chat template, out of a Hugging Face folder.
#pragma once

#include <string>
#include <vector>

#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace expunge::text {

struct TextSide {
  Tokenizer tokenizer;
  ChatTemplate chat;               // plain() if the model has none
  std::vector<std::string> notes;  // what the user should know about how they were found
};

// Reads tokenizer.json, and the template from the first of chat_template.jinja,
// tokenizer_config.json and chat_template.json that has one. Errors: kNotFound without a
// tokenizer, kUnsupported with a tokenizer.model alone.
base::Result<TextSide> text_side_of_folder(const std::string& dir);

}  // namespace expunge::text
