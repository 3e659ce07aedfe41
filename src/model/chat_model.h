// A model with its text side (tokenizer and chat template): what a chat, a score or an edit works
// on. A value like the model: copies share the weights.
#pragma once

#include <string>

#include "model/model.h"
#include "model/packed.h"
#include "text/text_folder.h"

namespace expunge::model {

struct ChatModel {
  std::string path;  // as resolved
  Model model;
  text::Tokenizer tokenizer;
  text::ChatTemplate chat;
  std::vector<std::string> notes = {};  // what the user should know about the text side

  // The same text side with another model in its place.
  ChatModel with(Model other) const { return {path, std::move(other), tokenizer, chat, notes}; }
  ChatModel computing(tensor::Activations a) const { return with(model.computing(a)); }

  // Ids of a conversation up to where the assistant speaks next, and of plain text.
  base::Result<std::vector<int32_t>> encode(std::span<const text::Message> messages,
                                            std::string_view prefill = {},
                                            std::string_view tools = {}) const;
  base::Result<std::vector<int32_t>> encode_user(std::string_view question) const;
  // Ids of plain text that stands alone: with the token that begins one, if the model has it.
  base::Result<std::vector<int32_t>> encode_text(std::string_view text) const;
  // A question with an answer, for training and scoring: predicted are the answer and its
  // end of turn. system "" = the template's own default. kInvalid if it exceeds the context.
  base::Result<Example> encode_answer(const std::string& system, const std::string& question,
                                      const std::string& answer) const;
};

// A GGUF or safetensors file, a Hugging Face folder, a model id in the local Hugging Face
// cache ("HuggingFaceTB/SmolLM2-135M-Instruct"), or "" for the default model.
base::Result<std::string> find_model(const std::string& spec);
base::Result<ChatModel> load_chat_model(
    const std::string& spec, tensor::Activations activations = tensor::Activations::kFloat);

}  // namespace expunge::model
