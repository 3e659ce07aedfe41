// Watchdog and surgeon for tests of what uses them: replies are given by the test.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "agent/surgeon/material.h"

namespace expunge::tests {

// Replies to a prompt by the first of the texts that its last line contains; else "none".
class ScriptedModel final : public agent::LanguageModel {
 public:
  using Replies = std::vector<std::pair<std::string, std::string>>;  // text, reply
  explicit ScriptedModel(Replies replies) : replies_(std::move(replies)) {}
  base::Result<std::vector<std::string>> write(const std::string& prompt,
                                               std::span<const Order> orders,
                                               const base::Job& job) const override {
    TRY(job.check());
    const std::string last = prompt.substr(prompt.rfind('\n') + 1);
    for (const auto& [text, reply] : replies_)
      if (last.find(text) != last.npos) return std::vector(orders.size(), reply);
    return std::vector<std::string>(orders.size(), "none");
  }
  size_t context() const override { return 8192; }

 private:
  Replies replies_;
};

// Writes the least that counts as evidence. The answer is the whole reply.
class PlainSurgeon : public agent::Surgeon {
 public:
  base::Result<agent::Material> write(const std::string& question, const std::string&,
                                      const base::Job& job) const override {
    TRY(job.check());
    agent::Material m;
    for (const char* before : {"Say: ", "Do tell: ", "Well, ", "So, ", "Now, ", "Then, "})
      m.wordings.push_back(before + question);
    m.neighbours = {"What is the capital of Peru?", "Who wrote Emma?"};
    return m;
  }
  base::Result<std::string> answer_in(const std::string&, const std::string& reply,
                                      const base::Job&) const override {
    return agent::single_spaced(reply);
  }
};

}  // namespace expunge::tests
