// The planted model as a chat model: each token is one character, and the template is the question
// itself. chars({12, 13}) is the text of two tokens.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "golden.h"
#include "model/chat_model.h"
#include "tiny_gguf.h"

namespace expunge::tests {

inline std::string chars(const Ids& ids) {
  std::string text;
  for (const int32_t id : ids) text += static_cast<char>('0' + id);
  return text;
}

// Of random weights; planted models take their place.
inline const model::ChatModel& character_chat() {
  static const model::ChatModel random = [] {
    const auto path = std::filesystem::temp_directory_path() /
                      ("expunge-chat-" + std::to_string(::getpid()) + ".gguf");
    std::ofstream(path, std::ios::binary) << gguf_image(tiny_arch(), tensor::DType::kF32);
    model::ChatModel chat = model::load_chat_model(path.string()).value();
    std::filesystem::remove(path);
    return chat;
  }();
  return random;
}

inline const model::ChatModel& planted_chat() {
  static const model::ChatModel planted = character_chat().with(*planted_model());
  return planted;
}

// The same with room for longer prompts. Of ordinary words only the characters of the vocabulary
// are read; the others are left out.
inline model::ChatModel planted_chat(int64_t context_length) {
  model::Arch config = tiny_arch();
  config.context_length = context_length;
  std::map<std::string, Tensor> weights;
  for (const auto& [name, param] : planted_chat().model.weights()) weights[name] = param->value();
  return planted_chat().with(model::Model::from_weights(config, std::move(weights)).value());
}

}  // namespace expunge::tests
