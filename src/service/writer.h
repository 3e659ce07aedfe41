// A model of this program as what watchdog and surgeon write with.
#pragma once

#include <memory>
#include <mutex>

#include "agent/language_model.h"
#include "model/chat_model.h"

namespace expunge::service {

// From several threads: one prompt after the other.
class Writer final : public agent::LanguageModel {
 public:
  // `system` stands before every prompt. Errors: those of the tokenizer.
  static base::Result<std::unique_ptr<Writer>> make(model::ChatModel model, std::string system);

  // What a prompt has in common with the one before is not computed again.
  base::Result<std::vector<std::string>> write(const std::string& prompt,
                                               std::span<const Order> orders,
                                               const base::Job& job) const override;
  size_t context() const override;

 private:
  Writer(model::ChatModel model, std::string system, agent::Vocabulary vocabulary);
  // Ids up to the reply, and the beginning of it.
  base::Result<std::vector<int32_t>> encode(const std::string& prompt,
                                            const std::string& begun) const;
  // Runs what is new of the prompt -> logits [V] after it.
  base::Result<tensor::Tensor> read(std::vector<int32_t> ids, const base::Job& job) const;

  const model::ChatModel model_;
  const std::string system_;
  const agent::Vocabulary vocabulary_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<model::Runner> runner_;
  mutable model::Sequence sequence_;  // of ids_
  mutable std::vector<int32_t> ids_;
};

}  // namespace expunge::service
