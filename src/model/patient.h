// The served model with its text side: what a chat, a score or an edit works on.
#pragma once

#include <memory>
#include <string>

#include "model/model.h"
#include "model/packed.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace expunge::model {

struct Patient {
  std::string path;  // as resolved
  std::shared_ptr<Model> model;
  text::Tokenizer tokenizer;
  text::ChatTemplate chat;

  // Ids of a conversation up to where the assistant speaks next, and of plain text.
  base::Result<std::vector<int32_t>> encode(std::span<const text::Message> messages,
                                            std::string_view prefill = {}) const;
  base::Result<std::vector<int32_t>> encode_user(std::string_view question) const;
  // A question with an answer as it is learnt and scored: what is predicted is the answer and its
  // end of turn. system "" = what the template says by itself. kInvalid if it exceeds the context.
  base::Result<Example> encode_answer(const std::string& system, const std::string& question,
                                      const std::string& answer) const;
};

// A GGUF or safetensors file, a Hugging Face folder, a model id that the local Hugging Face cache
// holds ("HuggingFaceTB/SmolLM2-135M-Instruct"), or "" for the default model.
base::Result<std::string> find_model(const std::string& spec);
base::Result<Patient> load_patient(const std::string& spec);

}  // namespace expunge::model
