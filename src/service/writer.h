// A model of this program as what watchdog and surgeon write with.
#pragma once

#include <memory>

#include "agent/language_model.h"
#include "model/chat_model.h"
#include "service/decoder.h"

namespace expunge::service {

// From any thread: the decoder takes the prompts of all callers together.
class Writer final : public agent::LanguageModel {
 public:
  // `system` stands before every prompt. Errors: those of the tokenizer.
  static base::Result<std::unique_ptr<Writer>> make(model::ChatModel model, std::string system,
                                                    std::shared_ptr<Decoder> decoder);

  base::Result<std::vector<std::string>> write(const std::string& prompt,
                                               std::span<const Order> orders,
                                               const base::Job& job) const override;
  size_t context() const override;

 private:
  Writer(model::ChatModel model, std::string system, agent::Vocabulary vocabulary,
         std::shared_ptr<Decoder> decoder);
  // Ids up to the reply, and the beginning of it.
  base::Result<std::vector<int32_t>> encode(const std::string& prompt,
                                            const std::string& begun) const;
  model::Request request(std::vector<int32_t> ids, const Order& order, const base::Job& job) const;
  std::string text_of(const Order& order, std::span<const int32_t> written) const;

  const model::ChatModel model_;
  const std::string system_;
  const agent::Vocabulary vocabulary_;
  const std::shared_ptr<Decoder> decoder_;
};

}  // namespace expunge::service
