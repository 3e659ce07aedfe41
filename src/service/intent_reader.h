// What the user wants, from the words of a dialogue: the built-in watchdog, or one at a URL.
#pragma once

#include <optional>
#include <string>

#include "agent/endpoint.h"
#include "agent/surgeon.h"
#include "agent/watchdog.h"
#include "model/chat_model.h"

namespace expunge::service {

class IntentReader {
 public:
  // url "": the built-in watchdog, trained once per model on cues, words and the model's hidden
  // states, and stored in the cache.
  static base::Result<IntentReader> make(const std::string& url, const model::ChatModel& chat_model,
                                         const base::Job& job = {});
  base::Result<agent::Reading> read(std::span<const text::Message> dialogue,
                                    const base::Job& job = {}) const;
  // The built-in watchdog, by which read() reads; null for one at a URL.
  const agent::ModelWatchdog* builtin() const { return builtin_ ? &*builtin_ : nullptr; }

 private:
  std::optional<agent::ModelWatchdog> builtin_;
  std::optional<agent::Endpoint> endpoint_;
};

// The request of a command line ("that the capital of France is Paris") as a message of a chat.
std::string as_message(const std::string& words);
std::vector<agent::Request> requests_of(const agent::Reading& reading);

}  // namespace expunge::service
