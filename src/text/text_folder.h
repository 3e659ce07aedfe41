// The text side of a model: its tokenizer and its chat template, out of a Hugging Face folder.
#pragma once

#include <string>
#include <vector>

#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace expunge::text {

struct TextSide {
  Tokenizer tokenizer;
  ChatTemplate chat;               // plain() if the model has none, or none that is its default
  std::vector<std::string> notes;  // what the user should know about how they were found
  std::vector<std::string> named_templates = {};  // of plain(): what there is besides a default
};

// Reads tokenizer.json, and the template from the first of chat_template.jinja,
// tokenizer_config.json and chat_template.json that has one; those of additional_chat_templates are
// only named. Errors: kNotFound without a
// tokenizer, kUnsupported with a tokenizer.model alone.
base::Result<TextSide> text_side_of_folder(const std::string& dir);

}  // namespace expunge::text
