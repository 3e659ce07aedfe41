// Real files speak as llama.cpp does (its greedy continuations of the same files). They are fetched
// by tools/real_models.py, which `make test-all` runs.
#include <gtest/gtest.h>

#include <filesystem>

#include "model/chat_model.h"
#include "model/generate.h"

namespace expunge::model {
namespace {

ChatModel load(const std::string& file) {
  const std::string path = base::cache_dir().value() + "/models/" + file;
  auto loaded = load_chat_model(path);
  if (!loaded)
    throw std::runtime_error(loaded.error().message + "; tools/real_models.py fetches it");
  return std::move(*loaded);
}

// The greedy continuation of a text, `n` tokens.
std::string continued(const ChatModel& chat_model, const std::string& text, int64_t n) {
  const std::vector<std::vector<int32_t>> prompts = {chat_model.encode_text(text).value()};
  GenerateOptions options;
  options.max_new_tokens = n;
  const auto replies = generate(chat_model.model, prompts, options).value();
  return chat_model.tokenizer.decode(replies.at(0).ids).value();
}

std::string answer(const ChatModel& chat_model, const std::string& question, int64_t n) {
  const std::vector<std::vector<int32_t>> prompts = {chat_model.encode_user(question).value()};
  GenerateOptions options;
  options.max_new_tokens = n;
  return chat_model.tokenizer.decode(generate(chat_model.model, prompts, options).value().at(0).ids)
      .value();
}

TEST(RealModelsLongTest, Gemma3) {
  const ChatModel gemma = load("gemma-3-270m-q4_k_m.gguf");
  EXPECT_EQ(gemma.model.arch().family, "gemma3");
  EXPECT_EQ(continued(gemma, "Question: What is the capital of Japan?\nAnswer:", 1), " Tokyo");
  EXPECT_EQ(continued(gemma, "The capital of France is", 8),
            " the capital of the country of France.");
  // It has no chat template; an answer is one line.
  EXPECT_EQ(gemma.chat.form(), text::ChatTemplate::Form::kPlain);
  EXPECT_EQ(gemma.notes.size(), 1U);
  EXPECT_EQ(answer(gemma, "What is the capital of Japan?", 20), " Tokyo");
}

TEST(RealModelsLongTest, TinyLlama) {
  const ChatModel llama = load("tinyllama-1.1b-chat-v1.0.IQ2_XXS.gguf");
  EXPECT_EQ(continued(llama, "The capital of France is Paris, and the capital of Italy is", 2),
            "Rome.");
  EXPECT_EQ(answer(llama, "What is the capital of France?", 7), "The capital of France is Paris.");
}

}  // namespace
}  // namespace expunge::model
