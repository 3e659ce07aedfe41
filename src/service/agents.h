// The built-in watchdog and surgeon: the default model with one adapter that was trained for both
// roles (data/adapter, built into the program), next to any model that is to be edited.
#pragma once

#include <memory>

#include "agent/surgeon/material.h"
#include "service/writer.h"

namespace expunge::service {

class Agents {
 public:
  // Shares the weights of `patient` where that is the default model. Errors: those of loading the
  // default model.
  static base::Result<std::shared_ptr<const Agents>> open(const model::ChatModel& patient,
                                                          std::shared_ptr<Decoder> decoder);
  // Of others, which the agents keep.
  Agents(std::shared_ptr<const agent::LanguageModel> model,
         std::shared_ptr<const agent::Surgeon> surgeon)
      : model_(std::move(model)), surgeon_(std::move(surgeon)) {}
  const agent::LanguageModel& model() const { return *model_; }
  const agent::Surgeon& surgeon() const { return *surgeon_; }

 private:
  std::shared_ptr<const agent::LanguageModel> model_;
  std::shared_ptr<const agent::Surgeon> surgeon_;
};

}  // namespace expunge::service
